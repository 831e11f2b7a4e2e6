"""The paper as one command, on pictures of 16 x 16 pixels: killed on the way, and gone on with."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import lilliput
from lilliput.cli import main
from lilliput.data.pack import Pack

WORDS = ["reproduce", "--scale", "tiny", "--to", "paper", "--device", "cpu"]


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")
def test_it_is_killed_and_goes_on_to_the_page(
    tiny_pack: Pack, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [*WORDS, "--data", str(tiny_pack.path)]
    process = subprocess.Popen(
        [sys.executable, "-m", "lilliput", *words],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("step 5/"):
            break
    time.sleep(0.3)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stderr.close()
    assert not Path("paper/reproduction.html").exists()
    weights = Path("paper/m4/weights.safetensors").read_bytes()

    assert main([*words, "--json"]) == 0
    out, err = capsys.readouterr()
    told = json.loads(out)
    assert "Table 1, M4, and with it Fig. 2 to 6: already done" in err
    assert Path("paper/m4/weights.safetensors").read_bytes() == weights
    assert all(step["finished"] for step in told["steps"].values())
    assert Path(told["page"]).stat().st_size > 100_000
    # What a set without boxes, test images and the paper's classes can show has been measured.
    measured = {claim["id"] for claim in told["claims"] if claim["ours"]}
    assert {"m1", "m4", "tanh", "jitter", "deeper", "size", "formula", "filters"} <= measured

    page = Path(told["page"]).read_bytes()
    assert main(words) == 0
    out, err = capsys.readouterr()
    assert err.count("already done") == len(told["steps"])
    assert "claims that this scale can judge hold" in out
    assert Path(told["page"]).read_bytes() == page

    conclusion = lilliput.run_reproduction(tiny_pack, scale="tiny", to="paper", device="cpu")
    assert conclusion.counts == told["verdicts"]
    assert Path(told["page"]).read_bytes() == page

    assert main([*WORDS, "--scale", "quick", "--data", str(tiny_pack.path)]) != 0

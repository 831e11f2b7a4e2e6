"""Real processes of the real command: they are slow to load, so each of them shows several things."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lilliput.cli import main
from lilliput.cli.processes import command_line, is_member, is_restarted
from lilliput.data.pack import Pack
from lilliput.results.run import Run

RECIPE = (
    'name = "tiny"\n[model]\nplan = "ConvReLU(F3-4) -> MaxPool -> FC(4)"\n'
    "[training]\nepochs = {}\nbatch_images = 12\ncheckpoint_seconds = 0.0\n"
    'precision = "fp32"\nmemory_format = "contiguous"\n'
)
ENDLESS = 100_000
needs_posix = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs POSIX signals")


@pytest.fixture
def words(tiny_pack: Pack, tmp_path: Path) -> Callable[..., list[str]]:
    def make(epochs: int, *more: str) -> list[str]:
        recipe = tmp_path / "tiny.toml"
        recipe.write_text(RECIPE.format(epochs))
        place = ["--data", str(tiny_pack.path), "--run", str(tmp_path / "run")]
        return ["train", str(recipe), *place, "--device", "cpu", *more]

    return make


def begin(*words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def wait_for_checkpoint(run: Path, program: subprocess.Popen[str]) -> None:
    while not list(run.glob("checkpoints/*.safetensors")):
        assert program.poll() is None, program.communicate()
        time.sleep(0.1)


def processes_below(parent: int) -> dict[int, list[str]]:
    """The processes that this one has started, and their children, by the words of their commands."""
    listing = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid=,args="], capture_output=True, text=True, check=True
    )
    rows = [line.split(maxsplit=2) for line in listing.stdout.splitlines()]
    found, parents = {}, {parent}
    for pid, above, command in sorted(rows, key=lambda row: int(row[0])):
        if int(above) in parents:
            parents.add(int(pid))
            found[int(pid)] = command.split()
    return found


def members(parent: int) -> list[int]:
    """The processes that train, the first one first."""
    return [pid for pid, command in processes_below(parent).items() if "train" in command]


def nothing_is_left(run: Path, pids: list[int]) -> bool:
    return not list(run.rglob("*.partial")) and not any(map(_is_alive, pids))


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@needs_posix
def test_a_killed_process_ends_the_others(words: Callable, tmp_path: Path) -> None:
    program = begin("lilliput", *words(ENDLESS, "--processes", "2", "--json"))
    wait_for_checkpoint(tmp_path / "run", program)
    pids = members(program.pid)
    os.kill(pids[1], signal.SIGKILL)
    out, messages = program.communicate()
    assert program.returncode == 1
    assert json.loads(out)["error"]["kind"] == "ProcessError"
    (error, hint) = messages.splitlines()[-2:]
    assert error.startswith("error: process 1 of 2 (counted from 0) was killed by SIGKILL")
    assert "--processes 2" in hint and "--resume" in hint
    assert "Traceback" not in messages
    assert nothing_is_left(tmp_path / "run", pids)


@needs_posix
def test_ctrl_c_stops_all_with_everything_saved(words: Callable, tmp_path: Path) -> None:
    program = begin("lilliput", *words(ENDLESS, "--processes", "2"))
    wait_for_checkpoint(tmp_path / "run", program)
    pids = members(program.pid)
    program.send_signal(signal.SIGINT)
    out, messages = program.communicate()
    assert program.returncode == 130
    assert out == ""
    assert messages.count("running on cpu, 2 processes of") == 1
    assert messages.count("stopped: everything so far is saved") == 1
    assert "Traceback" not in messages
    assert nothing_is_left(tmp_path / "run", pids)
    # What was saved fits a single process too. It is stopped at once: there is no end to wait for.
    run = Run.open(tmp_path / "run")
    assert "--processes 2" in run.environment["command"]
    newest = max((tmp_path / "run" / "checkpoints").iterdir()).name
    alone = begin("lilliput", *words(ENDLESS, "--resume"))
    while max((tmp_path / "run" / "checkpoints").iterdir()).name == newest:
        assert alone.poll() is None, alone.communicate()
        time.sleep(0.1)
    alone.send_signal(signal.SIGTERM)
    _, messages = alone.communicate()
    assert alone.returncode == 143
    assert "going on at epoch" in messages


@needs_posix
def test_under_torchrun(words: Callable, tmp_path: Path) -> None:
    torchrun = ["torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    # Without -- some versions of argparse take --run for an option of torchrun.
    program = begin(*torchrun, "-m", "--", "lilliput", *words(ENDLESS))
    wait_for_checkpoint(tmp_path / "run", program)
    pids = members(program.pid)
    os.kill(pids[1], signal.SIGKILL)
    _, messages = program.communicate()
    assert program.returncode == 1
    assert messages.count("error: process 1 of 2 is gone") == 1
    assert "torchrun ... -m -- lilliput train" in messages and "--resume" in messages
    assert "Signal 9 (SIGKILL)" in messages  # torchrun's own words
    assert nothing_is_left(tmp_path / "run", pids)


def test_a_batch_that_cannot_be_shared_is_refused(
    words: Callable, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words(1, "--processes", "5")) == 2
    assert "training.batch_images=15 or 10" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("count", ["0", "-1"])
def test_somebody_has_to_do_the_work(
    count: str, words: Callable, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words(1, "--processes", count)) == 2
    assert "somebody has to do the work" in capsys.readouterr().err


def test_processes_within_torchrun_are_refused(
    words: Callable, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert main(words(1, "--processes", "2")) == 2
    assert "torchrun" in capsys.readouterr().err


def test_one_process_of_torchrun_is_plain_training(
    words: Callable, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in {"RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "localhost"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MASTER_PORT", "1")  # where nobody is, and nobody is sought
    assert not is_member()
    assert main(words(1)) == 0
    assert Run.open(tmp_path / "run").is_finished


def test_what_a_person_types(monkeypatch: pytest.MonkeyPatch) -> None:
    assert command_line(["train", "m 1"], 1) == "lilliput train 'm 1'"
    assert command_line(["train", "m1"], 2) == "lilliput train m1 --processes 2"
    for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.setenv(name, "4")
    assert command_line(["train", "m1"], 1) == "torchrun ... -m -- lilliput train m1"
    monkeypatch.setenv("LILLIPUT_SUPERVISOR", "1")
    assert command_line(["train", "m1"], 1) == "lilliput train m1 --processes 4"


def test_a_restart_by_torchrun_goes_on_with_the_run_that_is_named(tmp_path: Path) -> None:
    again = {"TORCHELASTIC_RESTART_COUNT": "1"}
    assert not is_restarted(tmp_path, again)
    (tmp_path / "recipe.toml").write_text("")
    assert is_restarted(tmp_path, again)
    assert not is_restarted(tmp_path, {"TORCHELASTIC_RESTART_COUNT": "0"})
    assert not is_restarted(None, again)

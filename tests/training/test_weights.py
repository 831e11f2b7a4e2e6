from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load

from lilliput.data.statistics import empty_statistics
from lilliput.errors import RunError
from lilliput.models.build import build_model
from lilliput.notation import parse
from lilliput.training.weights import read_network, read_tensors, to_bytes, write_tensors

TENSORS = {
    "b": torch.arange(6.0).reshape(2, 3),
    "a": torch.ones(4, 3, 2, 2).to(memory_format=torch.channels_last),
    "half": torch.ones(3, dtype=torch.float16),
    "wide": torch.zeros((), dtype=torch.float64),
}
EXAMPLE = {"b": torch.arange(6.0), "a": torch.ones(2, 2)}
METADATA = {name: f"value of {name}" for name in ("plan", "classes", "image_size", "lilliput")}


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    write_tensors(tmp_path / "w.safetensors", TENSORS, METADATA)
    tensors, metadata = read_tensors(tmp_path / "w.safetensors")
    assert metadata == METADATA
    assert tensors.keys() == TENSORS.keys()
    for name, value in tensors.items():
        assert value.dtype == TENSORS[name].dtype
        assert torch.equal(value, TENSORS[name])


def test_equal_content_gives_equal_bytes_every_time_and_in_every_process() -> None:
    """The library puts metadata in another order every time, which is why this can fail."""
    here = {hashlib.sha256(to_bytes(EXAMPLE, METADATA)).hexdigest() for _ in range(30)}
    program = (
        "import hashlib, torch; from lilliput.training.weights import to_bytes;"
        "t = {'b': torch.arange(6.0), 'a': torch.ones(2, 2)};"
        f"print(hashlib.sha256(to_bytes(t, {METADATA})).hexdigest())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert here == {done.stdout.strip()}


def test_the_order_of_what_is_given_does_not_show() -> None:
    turned = dict(reversed(TENSORS.items())), dict(reversed(METADATA.items()))
    assert to_bytes(TENSORS, METADATA) == to_bytes(*turned)
    assert load(to_bytes(TENSORS, METADATA)).keys() == TENSORS.keys()


@pytest.mark.parametrize("content", [b"", b"garbage", b"\xff" * 64, None])
def test_garbage_is_refused(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(RunError, match=r"w\.safetensors"):
        read_tensors(path)


def test_a_network_is_read_with_what_was_written_beside_it(tmp_path: Path) -> None:
    path, plan = tmp_path / "w.safetensors", parse("ConvReLU(F3-2) -> FC(3)")
    model = build_model(plan, *empty_statistics(8, 8)).eval()
    metadata = {"plan": str(plan), "image_size": "[8, 8]", "note": "mine"}
    write_tensors(path, model.state_dict(), metadata)
    network = read_network(path)
    images = torch.randint(256, (2, 3, 8, 8), dtype=torch.uint8)
    assert torch.equal(network.model(images), model(images))
    assert not network.model.training
    assert network.metadata == metadata
    write_tensors(path, model.state_dict(), {"plan": str(plan)})
    with pytest.raises(RunError, match="lacks 'image_size'"):
        read_network(path)

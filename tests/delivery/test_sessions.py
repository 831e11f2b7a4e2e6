"""Opening exported files, and files that are none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from lilliput.delivery.export import Work, export_classifier
from lilliput.delivery.sessions import _PICTURES_OF_A_VIEW, SESSIONS, open_session
from lilliput.errors import RunError, UsageError
from lilliput.models.predict import VIEWS
from lilliput.results.run import Run
from lilliput.training.weights import write_tensors


@pytest.fixture(scope="module")
def exported(plain_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("sessions") / "out.safetensors"
    return export_classifier(Work(plain_run, "fp32", None), "safetensors", out).path


def test_the_pictures_of_every_view_are_known() -> None:
    image = torch.zeros(1, 3, 64, 64)
    assert {name: len(view(image)) for name, view in VIEWS.items()} == _PICTURES_OF_A_VIEW


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((2, 16, 16, 3), np.float32),
        np.zeros((16, 16, 3), np.uint8),
        np.zeros((2, 3, 16, 16), np.uint8),
        np.zeros((2, 16, 12, 3), np.uint8),
    ],
)
def test_other_images_are_refused(exported: Path, images: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"not uint8\[n, 16, 16, 3\]"):
        open_session(exported)(images)


def test_images_may_lie_in_memory_as_they_like(exported: Path, pictures: np.ndarray) -> None:
    session = open_session(exported)
    expected = session(pictures)
    np.testing.assert_array_equal(session(pictures[::-1])[::-1], expected)
    pictures.flags.writeable = False
    np.testing.assert_array_equal(session(pictures), expected)


def test_many_images_are_answered_in_parts(exported: Path, pictures: np.ndarray) -> None:
    session = open_session(exported)
    whole = session(pictures)
    session._images = 5
    np.testing.assert_allclose(session(pictures), whole, atol=1e-6)


def test_the_weights_of_a_run_can_be_opened_as_they_lie(plain_run: Run, pictures) -> None:
    session = open_session(plain_run.weights_path)
    assert session.views == ("plain",)
    expected = plain_run.predictions("val").probabilities
    np.testing.assert_allclose(session(pictures), expected, atol=1e-5)


@pytest.mark.parametrize("suffix", SESSIONS)
@pytest.mark.parametrize("content", [b"", b"no such file", b"PK\x03\x04 cut off"])
def test_what_is_no_such_file_is_one_message(suffix: str, content: bytes, tmp_path: Path) -> None:
    if suffix == ".onnx":
        pytest.importorskip("onnxruntime")
    path = tmp_path / f"there{suffix}"
    path.write_bytes(content)
    with pytest.raises(RunError, match="cannot be"):
        open_session(path)


def test_what_is_not_there_or_of_another_kind_is_one_message(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="there is no file"):
        open_session(tmp_path / "none.onnx")
    with pytest.raises(UsageError, match="no exported classifier"):
        open_session(tmp_path / "picture.png")


def test_files_of_others_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    write_tensors(path, {"weight": torch.zeros(2)}, {"format": "pt"})
    with pytest.raises(RunError, match="does not hold a network"):
        open_session(path)


def test_an_onnx_file_of_others_is_told_apart(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    value = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
    other = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1])
    node = onnx.helper.make_node("Relu", ["x"], ["y"])
    graph = onnx.helper.make_graph([node], "g", [value], [other])
    opset = [onnx.helper.make_opsetid("", 18)]
    model = onnx.helper.make_model(graph, opset_imports=opset, ir_version=10)
    onnx.save(model, tmp_path / "other.onnx")
    with pytest.raises(RunError, match="not exported by Lilliput"):
        open_session(tmp_path / "other.onnx")

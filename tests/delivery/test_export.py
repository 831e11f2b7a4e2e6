"""Every format, written, opened anew and compared; what does not agree leaves no file."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from lilliput.data.pack import Pack
from lilliput.delivery import check, export
from lilliput.delivery.deliverable import deliverable_of
from lilliput.delivery.export import EXPORTERS, Exported, Work, default_place, export_classifier
from lilliput.delivery.sessions import OnnxSession, open_session
from lilliput.errors import LilliputError, MissingExtraError, RunError, UsageError
from lilliput.predicting import predictions_of
from lilliput.results.ensemble import Ensemble
from lilliput.results.run import Run

HOSTILE = [
    ("n00", 'a "quoted", <b>\\ class\n\x00'),
    ("n01", "naïve 猫 🚌"),
    ("n02", "cut \udcff off"),
    ("n03", ""),
]


def written(run: Run | Ensemble, pack: Pack | None, out: Path, precision: str = "fp32") -> Exported:
    return export_classifier(Work(run, precision, pack), out.suffix[1:], out)


@pytest.fixture(autouse=True)
def parts_are_installed(request: pytest.FixtureRequest) -> None:
    for name in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(name)


@pytest.mark.parametrize("to", EXPORTERS)
@pytest.mark.parametrize("kind", ["plain_run", "modern_run", "residual_run"])
def test_a_file_says_what_the_run_says(
    to: str,
    kind: str,
    request: pytest.FixtureRequest,
    tiny_pack: Pack,
    pictures: np.ndarray,
    tmp_path: Path,
) -> None:
    run: Run = request.getfixturevalue(kind)
    result = written(run, tiny_pack, tmp_path / f"out.{to}")
    found = result.check
    assert (found.images, found.of, found.reference) == (16, "val", "stored")
    assert found.largest_difference < 1e-5
    assert (found.agreement, found.faults) == (1, 0)
    assert found.top1 == found.top1_before is not None
    session = open_session(tmp_path / f"out.{to}")
    stored = run.predictions("val").probabilities
    for count in (16, 1, 3, 0):  # any number of images
        answer = session(pictures[:count])
        assert answer.dtype == np.float32
        np.testing.assert_allclose(answer, stored[:count], atol=1e-5)
    assert (session.classes, session.size) == (run.classes, (16, 16))
    assert session.description == result.description
    assert [path.name for path in tmp_path.iterdir()] == [f"out.{to}"]
    assert result.size_bytes == (tmp_path / f"out.{to}").stat().st_size


@pytest.mark.parametrize("to", ["onnx", "pt2"])
def test_a_whole_ensemble_is_one_file(
    to: str,
    make_ensemble: Callable[[str], Ensemble],
    tiny_pack: Pack,
    pictures: np.ndarray,
    tmp_path: Path,
) -> None:
    ensemble = make_ensemble("majority" if to == "onnx" else "logits")
    result = written(ensemble, tiny_pack, tmp_path / f"all.{to}")
    assert result.check.faults == 0
    session = open_session(result.path)
    far = ~near_votes(ensemble)
    expected = predictions_of(ensemble).probabilities
    np.testing.assert_allclose(session(pictures)[far], expected[far], atol=1e-5)
    assert session.description.method == ensemble.method
    assert [one["weight"] for one in session.description.members] == [2 / 3, 1 / 3]


def near_votes(ensemble: Ensemble) -> np.ndarray:
    rows = [np.sort(one.predictions("val").probabilities, axis=1) for one in ensemble.members]
    return np.any([row[:, -1] - row[:, -2] < 1e-4 for row in rows], axis=0)


@pytest.mark.parametrize("to", ["onnx", "pt2", "safetensors"])
def test_half_precision_is_nearly_the_same_and_smaller(
    to: str, modern_run: Run, tiny_pack: Pack, tmp_path: Path
) -> None:
    whole = written(modern_run, tiny_pack, tmp_path / f"whole.{to}")
    half = written(modern_run, tiny_pack, tmp_path / f"half.{to}", "fp16")
    assert half.size_bytes < whole.size_bytes
    assert 1e-6 < half.check.largest_difference < 0.02
    assert half.description.precision == "fp16"
    assert half.check.top1 is not None


@pytest.mark.parametrize("kind", ["plain_run", "modern_run", "residual_run"])
def test_integers_are_roughly_the_same(
    kind: str, request: pytest.FixtureRequest, tiny_pack: Pack, tmp_path: Path
) -> None:
    import onnx

    run: Run = request.getfixturevalue(kind)
    result = written(run, tiny_pack, tmp_path / "out.onnx", "int8")
    assert 1e-6 < result.check.largest_difference < 0.3
    words = {node.op_type for node in onnx.load(result.path).graph.node}
    assert {"QuantizeLinear", "DequantizeLinear"} <= words
    # The mean image, one and not one per filter, stays exact.
    initializers = onnx.load(result.path).graph.initializer
    weights = [one for one in initializers if len(one.dims) == 4 and one.dims[0] > 1]
    assert weights and all(one.data_type == onnx.TensorProto.INT8 for one in weights)


def test_what_an_onnx_file_holds(modern_run: Run, tiny_pack: Pack, tmp_path: Path) -> None:
    import onnx

    written(modern_run, tiny_pack, tmp_path / "out.onnx")
    model = onnx.load(tmp_path / "out.onnx")
    (image,), (answer,) = model.graph.input, model.graph.output
    dims = [one.dim_param or one.dim_value for one in image.type.tensor_type.shape.dim]
    assert (image.name, dims) == ("images", ["n", 16, 16, 3])
    assert image.type.tensor_type.elem_type == onnx.TensorProto.UINT8
    dims = [one.dim_param or one.dim_value for one in answer.type.tensor_type.shape.dim]
    assert (answer.name, dims) == ("probabilities", ["n", 4])
    assert answer.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    assert [(one.domain, one.version) for one in model.opset_import] == [("", 18)]
    facts = {one.key: one.value for one in model.metadata_props}
    assert facts.keys() == {
        *("classes", "image_size", "lilliput", "precision", "resize", "source", "views"),
    }
    assert json.loads(facts["classes"]) == [list(one) for one in modern_run.classes]
    assert "BICUBIC" in json.loads(facts["resize"])


def test_an_onnx_file_is_opened_without_torch(plain_run: Run, tmp_path: Path) -> None:
    written(plain_run, None, tmp_path / "out.onnx")
    program = (
        "import sys, numpy; from lilliput.delivery.sessions import open_session; "
        f"answer = open_session({str(tmp_path / 'out.onnx')!r})(numpy.zeros((2, 16, 16, 3), 'uint8')); "
        "print(answer.shape, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "(2, 4) False", done.stderr


@pytest.mark.parametrize("to", EXPORTERS)
def test_nothing_of_this_machine_is_in_a_file(to: str, plain_run: Run, tmp_path: Path) -> None:
    written(plain_run, None, tmp_path / f"out.{to}")
    content = (tmp_path / f"out.{to}").read_bytes()
    for place in (export.__file__, torch.__file__, str(plain_run.path.parent)):
        assert str(Path(place).parent).encode() not in content


@pytest.mark.parametrize("to", EXPORTERS)
def test_classes_may_be_called_anything(
    to: str,
    run_copy: Run,
    rename_classes: Callable[[Run, list[tuple[str, str]]], None],
    tmp_path: Path,
) -> None:
    rename_classes(run_copy, HOSTILE)
    written(run_copy, None, tmp_path / f"out.{to}")
    assert [tuple(one) for one in open_session(tmp_path / f"out.{to}").classes] == HOSTILE


@pytest.mark.parametrize("to", EXPORTERS)
def test_a_file_that_says_something_else_is_removed(
    to: str, plain_run: Run, tiny_pack: Pack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check, "TOLERANCE", -1)
    with pytest.raises(LilliputError, match="does not say what the classifier says") as caught:
        written(plain_run, tiny_pack, tmp_path / f"out.{to}")
    assert "differ by up to" in str(caught.value)
    assert "lilliput evaluate" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_network_is_found_and_the_old_file_stays(
    plain_run: Run, tiny_pack: Pack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def other(*arguments: object) -> object:
        module, description = deliverable_of(plain_run)
        module.members[0].network[0].weight.data.neg_()
        return module, description

    monkeypatch.setattr(export, "deliverable_of", other)
    (tmp_path / "out.pt2").write_text("mine")
    with pytest.raises(LilliputError, match="does not say what the classifier says"):
        export_classifier(
            Work(plain_run, "fp32", tiny_pack), "pt2", tmp_path / "out.pt2", force=True
        )
    assert [path.name for path in tmp_path.iterdir()] == ["out.pt2"]
    assert (tmp_path / "out.pt2").read_text() == "mine"


def test_what_is_no_number_is_refused_in_any_precision(
    run_copy: Run, tiny_pack: Pack, tmp_path: Path
) -> None:
    from lilliput.training.weights import read_tensors, write_tensors

    tensors, metadata = read_tensors(run_copy.weights_path)
    last = max(name for name in tensors if name.endswith("weight"))
    tensors[last] = tensors[last] * 1e9  # beyond float16
    write_tensors(run_copy.weights_path, tensors, metadata)
    with pytest.raises(LilliputError, match="no numbers"):
        written(run_copy, tiny_pack, tmp_path / "out.pt2", "fp16")
    assert not (tmp_path / "out.pt2").exists()


def test_without_a_pack_noise_stands_in(plain_run: Run, tmp_path: Path) -> None:
    found = written(plain_run, None, tmp_path / "out.pt2").check
    assert (found.of, found.is_real, found.reference) == ("random", False, "computed")
    assert (found.top1, found.top1_before, found.faults) == (None, None, 0)
    assert found.largest_difference < 1e-5


@pytest.mark.parametrize(
    ("to", "precision", "message"),
    [
        ("onxn", "fp32", "there is no format 'onxn'"),
        ("onnx", "fp23", "there is no precision 'fp23'"),
        ("pt2", "int8", "pt2 files are not written in int8"),
        ("safetensors", "int8", "safetensors files are not written in int8"),
        ("onnx", "int8", "calibrated on training images"),
    ],
)
def test_what_cannot_be_is_refused_first(
    to: str, precision: str, message: str, plain_run: Run, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        export_classifier(Work(plain_run, precision, None), to, tmp_path / f"out.{to}")
    assert caught.value.hint


def test_taken_and_misnamed_places_are_refused(plain_run: Run, tmp_path: Path) -> None:
    (tmp_path / "out.pt2").write_text("mine")
    (tmp_path / "folder.pt2").mkdir()
    for name, message in [
        ("out.pt2", "is there already"),
        ("folder.pt2", "is a folder"),
        ("out.onnx", "does not end in .pt2"),
    ]:
        with pytest.raises(UsageError, match=message):
            export_classifier(Work(plain_run, "fp32", None), "pt2", tmp_path / name)
    assert (tmp_path / "out.pt2").read_text() == "mine"


def test_weights_of_an_ensemble_are_refused(
    make_ensemble: Callable[[str], Ensemble], tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="several networks"):
        written(make_ensemble("mean"), None, tmp_path / "out.safetensors")


@pytest.mark.parametrize("name", ["onnx", "onnxscript", "onnxruntime"])
def test_without_the_extra_it_is_named(
    name: str, plain_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtraError, match="needs the optional part 'export'"):
        written(plain_run, None, tmp_path / "out.onnx")
    if name == "onnxruntime":
        (tmp_path / "there.onnx").touch()
        with pytest.raises(MissingExtraError, match="opening an ONNX file"):
            OnnxSession(tmp_path / "there.onnx")


def test_a_pack_of_other_classes_or_sizes_is_refused(
    run_copy: Run,
    rename_classes: Callable[[Run, list[tuple[str, str]]], None],
    tiny_pack: Pack,
    tmp_path: Path,
) -> None:
    rename_classes(run_copy, [*HOSTILE[:3], ("elsewhere", "?")])
    with pytest.raises(RunError, match="has other classes"):
        written(run_copy, tiny_pack, tmp_path / "out.pt2")
    assert not (tmp_path / "out.pt2").exists()


def test_of_another_pack_the_images_of_its_classes_are_asked(
    plain_run: Run, other_pack: Pack, tmp_path: Path
) -> None:
    found = written(plain_run, other_pack, tmp_path / "out.safetensors").check
    assert (found.images, found.reference) == (16, "computed")


def test_the_default_place_has_the_name_of_the_classifier(plain_run: Run) -> None:
    assert default_place(plain_run, "onnx", "fp32") == Path("plain.onnx")
    assert default_place(plain_run, "onnx", "int8") == Path("plain-int8.onnx")


def test_equal_runs_give_equal_files(plain_run: Run, tmp_path: Path) -> None:
    for name in ("a.onnx", "b.onnx"):
        written(plain_run, None, tmp_path / name)
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()

from __future__ import annotations

from dataclasses import replace

import pytest

from lilliput.errors import RunError, UsageError
from lilliput.training.runtime import Runtime, find_device, recorded_runtime


def test_devices() -> None:
    assert find_device("cpu") == "cpu"
    assert find_device("auto") in {"cpu", "cuda", "mps"}
    with pytest.raises(UsageError, match="no device 'cpuu'") as caught:
        find_device("cpuu")
    assert "cpu" in caught.value.hint
    with pytest.raises(UsageError):
        find_device("cuda:99")


def test_a_recorded_runtime_comes_back(plain: Runtime) -> None:
    assert recorded_runtime(plain.to_json(), "auto") == plain
    assert recorded_runtime(plain.to_json(), "cpu") == plain


def test_how_steps_were_carried_out_comes_back(plain: Runtime) -> None:
    compiled = replace(plain, step="compiled")
    assert recorded_runtime(compiled.to_json(), "auto") == compiled
    older = {
        key: value for key, value in plain.to_json().items() if key not in {"step", "failures"}
    }
    assert recorded_runtime(older, "auto") == plain


@pytest.mark.parametrize("recorded", [{}, {"device": "cpu"}, {"device": "cpu", "x": 1}])
def test_a_damaged_record_is_refused(recorded: dict) -> None:
    with pytest.raises(RunError, match=r"environment\.json"):
        recorded_runtime(recorded, "auto")


def test_a_run_does_not_move_to_another_device(plain: Runtime) -> None:
    with pytest.raises(RunError, match="began on cuda:7"):
        recorded_runtime({**plain.to_json(), "device": "cuda:7"}, "cpu")

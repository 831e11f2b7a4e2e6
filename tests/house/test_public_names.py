from __future__ import annotations

import pytest

import lilliput


def test_all_is_sorted_and_complete() -> None:
    assert set(lilliput.__all__) == {*lilliput._HOMES, "__version__"}
    assert lilliput.__all__ == sorted(lilliput.__all__, key=_ruff_order)


@pytest.mark.parametrize("name", lilliput.__all__)
def test_every_public_name_loads_and_is_documented(name: str) -> None:
    value = getattr(lilliput, name)
    assert name in {"ZOO", "__version__"} or value.__doc__


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="trian"):
        _ = lilliput.trian  # pyrefly: ignore


def test_dir_shows_what_is_not_loaded_yet() -> None:
    assert set(lilliput.__all__) <= set(dir(lilliput))


def _ruff_order(name: str) -> tuple[int, str]:
    return (0 if name.isupper() else 1 if name[0].isupper() else 2, name)

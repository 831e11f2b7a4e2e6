from __future__ import annotations

from pathlib import Path

import pytest

from lilliput.data.toy import write_toy_zip


@pytest.fixture(autouse=True)
def own_places(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test works in an empty folder, with a cache of its own."""
    folder = tmp_path_factory.mktemp("elsewhere")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("LILLIPUT_HOME", str(folder / "cache"))
    return folder


@pytest.fixture(scope="session")
def toy_zip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small toy set; its pictures are as many as every flow needs, and no more."""
    path = tmp_path_factory.mktemp("toy") / "toy.zip"
    write_toy_zip(path, train_images=12, val_images=4, test_images=1)
    return path

"""Every shipped recipe loads and trains two steps on the toy set."""

from __future__ import annotations

import tomllib
from contextlib import closing
from pathlib import Path

import pytest

from lilliput.data.pack import Pack
from lilliput.data.prepare import prepare
from lilliput.data.toy import write_toy_zip
from lilliput.experiment import Step, run_steps
from lilliput.recipe import load_recipe, shipped_recipes


@pytest.fixture(scope="module")
def small_pack(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    folder = tmp_path_factory.mktemp("recipes")
    write_toy_zip(folder / "toy.zip", train_images=6, val_images=2, test_images=1)
    return prepare(folder / "toy.zip", folder / "pack")


@pytest.mark.parametrize("name", shipped_recipes())
def test_it_loads_from_its_own_text(name: str, tmp_path: Path) -> None:
    recipe = load_recipe(name)
    written = tmp_path / "again.toml"
    written.write_text(recipe.to_toml(), encoding="utf-8")
    assert load_recipe(written) == recipe


@pytest.mark.parametrize("path", shipped_recipes().values(), ids=lambda path: Path(path).stem)
def test_it_opens_with_what_it_reaches_on_what(path: Path) -> None:
    text = Path(path).read_text(encoding="utf-8")
    assert text.startswith("#")
    assert tomllib.loads(text)


@pytest.mark.parametrize("name", shipped_recipes())
def test_it_trains_two_steps(name: str, small_pack: Pack, tmp_path: Path) -> None:
    # The arithmetic is given, because timing bf16 takes long where the processor has no instructions for it.
    arithmetic = ["training.precision=fp32", "training.memory_format=channels_last"]
    recipe = load_recipe(name, ["training.batch_images=16", *arithmetic])
    steps = 0
    with closing(run_steps(recipe, small_pack, tmp_path / "run", device="cpu")) as events:
        for event in events:
            steps += isinstance(event, Step)
            if steps == 2:
                break
    assert steps == 2

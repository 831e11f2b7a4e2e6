"""The rules that have a tool of their own are tests too, so that `scripts/test` alone tells the whole truth."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent


@pytest.mark.parametrize(
    "command",
    [
        [BIN / "lint-imports", "--no-logo", "--no-cache"],
        [sys.executable, "scripts/house.py"],
    ],
    ids=["floors", "house"],
)
def test_the_house_is_in_order(command: list[str | Path]) -> None:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr

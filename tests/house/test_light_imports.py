"""What must answer at once does not load PyTorch; proved in fresh processes."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("torch", "matplotlib", "sklearn", "cyclopts", "pydantic", "numpy")
TORCH_FREE = [
    "lilliput.errors",
    "lilliput.notation",
    "lilliput.recipe",
    "lilliput.results.run",
    "lilliput.results.metrics",
    "lilliput.data.prepare",
    "lilliput.data.inspect",
    "lilliput.data.toy",
    "lilliput.analysis.report",
    "lilliput.analysis.sheet",
    "lilliput.api",
    "lilliput.delivery.classifier",
    "lilliput.delivery.server.run",
    "lilliput.results.throughput",
    "lilliput.cli.app",
    "lilliput.cli.bench",
    "lilliput.cli.data",
    "lilliput.cli.models",
    "lilliput.cli.predict",
    "lilliput.cli.quickstart",
    "lilliput.cli.results",
    "lilliput.cli.serve",
    "lilliput.cli.training",
]


def loaded_after(program: str) -> set[str]:
    """Which heavy packages a fresh process has loaded after running ``program``."""
    report = f"\nimport sys\nprint('loaded:', *(name for name in {HEAVY!r} if name in sys.modules))"
    command = [sys.executable, "-c", program + report]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines()[-1].split()[1:])


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert loaded_after("import lilliput") == set()


@pytest.mark.parametrize("words", [["--help"], ["train", "--help"], ["--version"], []])
def test_help_loads_nothing_heavy(words: list[str]) -> None:
    assert loaded_after(f"from lilliput.cli import main; main({words!r})") == set()


def test_a_misspelt_command_does_not_load_torch() -> None:
    assert "torch" not in loaded_after("from lilliput.cli import main; main(['trian'])")


def test_torch_free_modules_do_not_load_torch() -> None:
    program = "import " + ", ".join(TORCH_FREE)
    assert "torch" not in loaded_after(program)


def test_models_does_not_load_torch() -> None:
    assert "torch" not in loaded_after("from lilliput.cli import main; main(['models'])")

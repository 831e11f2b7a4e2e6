"""Quick objectives, and a PostgreSQL server of its own where there is one to start."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from lilliput.recipe import load_recipe
from lilliput.search.settings import StudySettings
from lilliput.search.space import read_space
from lilliput.search.study import run_study
from lilliput.search.trial import Proposal, Report, Result

SPACE = {
    "optimizer": {"learning_rate": {"low": 0.001, "high": 0.1, "log": True}},
    "model": {"dropout": {"low": 0.4, "high": 0.6}},
}


def quick(proposal: Proposal) -> Generator[object]:
    """Three steps; best at a rate of 0.01."""
    value = 0.4 - abs(proposal.recipe.optimizer.learning_rate - 0.01)
    for step in range(1, 4):
        yield Report(step, 3, value * step / 3)
    yield Result(value, (value - 0.01, value + 0.01), 200)


@pytest.fixture
def search(tmp_path: Path) -> Callable[..., list[object]]:
    """Run a study to its end and give its events; every argument has a default."""

    def run(**changes: Any) -> list[object]:
        objective = changes.pop("objective", quick)
        space = read_space("test", changes.pop("space", SPACE))
        recipe = load_recipe("m1", [*changes.pop("overrides", []), "training.epochs=3"])
        data = changes.pop("data", "data")
        settings: dict[str, Any] = {"name": "study", "folder": tmp_path / "study", "trials": 5}
        settings |= {"poll_seconds": 0.05, **changes}
        return list(run_study(StudySettings(**settings), recipe, space, objective, data))

    return run


def _server_programs() -> tuple[str, str] | None:
    places = [*sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)]
    path = os.pathsep.join([os.environ.get("PATH", ""), *map(str, places)])
    initdb, pg_ctl = shutil.which("initdb", path=path), shutil.which("pg_ctl", path=path)
    return (initdb, pg_ctl) if initdb and pg_ctl else None


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The address of an empty database, on a server that listens on a socket of its own only."""
    pytest.importorskip("psycopg")
    programs = _server_programs()
    if not programs:
        pytest.skip("no PostgreSQL server is installed")
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    if is_root and not shutil.which("runuser"):
        pytest.skip("PostgreSQL does not run as root")
    prefix = ["runuser", "-u", "postgres", "--"] if is_root else []
    folder = Path(tempfile.mkdtemp(prefix="lilliput-pg-"))  # a socket's path must be short
    if is_root:
        shutil.chown(folder, "postgres")

    def call(*words: str) -> None:
        done = subprocess.run([*prefix, *words], capture_output=True, text=True, cwd=folder)
        assert done.returncode == 0, done.stdout + done.stderr

    initdb, pg_ctl = programs
    data = str(folder / "data")
    try:
        call(initdb, "-D", data, "-A", "trust", "-U", "lilliput", "-E", "UTF8", "--no-sync")
        options = f"-k {folder} -c listen_addresses='' -c fsync=off"
        call(pg_ctl, "-D", data, "-l", f"{folder}/log", "-o", options, "-w", "start")
        try:
            yield f"postgresql://lilliput@/postgres?host={folder}"
        finally:
            call(pg_ctl, "-D", data, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)

"""Many processes on one study, one of them killed: N trials finish, none is lost, none counts twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from lilliput.results.study import Study

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

WORKERS, TRIALS = 8, 40

# Forks the workers after the imports, so that they cost one start of Python. The first one hangs in its first trial.
PROGRAM = """
import json, os, sys, time, warnings
from pathlib import Path
warnings.simplefilter("error")
from lilliput.recipe import load_recipe
from lilliput.search.space import load_space
from lilliput.search.settings import StudySettings
from lilliput.search.study import Ended, run_study
from lilliput.search.trial import Report, Result

folder, storage, workers, trials = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])

def work(me):
    def objective(proposal):
        rate = proposal.recipe.optimizer.learning_rate
        if me == 0:
            (folder / "hangs").write_text(str(proposal.number))
            time.sleep(600)
        for step in range(1, 4):
            time.sleep(0.01)
            yield Report(step, 3, 0.3 - abs(rate - 0.01))
        yield Result(0.3 - abs(rate - 0.01), (), 100)

    settings = StudySettings(name="many", folder=folder, trials=trials, storage=storage,
                             heartbeat_seconds=0.5, stale_seconds=4, poll_seconds=0.2)
    ended = []
    for event in run_study(settings, load_recipe("m3"), load_space("m3"), objective, "data"):
        if isinstance(event, Ended):
            ended.append([event.number, event.state])
    (folder / f"worker-{me}.json").write_text(json.dumps(ended))

children = []
for me in range(workers):
    child = os.fork()
    if not child:
        try:
            work(me)
        except BaseException:
            import traceback
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    children.append(child)
(folder / "pids").write_text(json.dumps(children))
codes = [os.waitpid(child, 0)[1] for child in children]
sys.exit(any(codes[1:]))
"""


def run_many(folder: Path, storage: str) -> int:
    """Eight workers; gives the number of the trial whose worker was killed."""
    folder.mkdir()
    command = [sys.executable, "-c", PROGRAM, folder, storage, WORKERS, TRIALS]
    swarm = subprocess.Popen(list(map(str, command)), stderr=subprocess.PIPE, text=True)
    while not ((folder / "hangs").exists() and (folder / "pids").exists()):
        assert swarm.poll() is None, swarm.communicate()[1]
        time.sleep(0.02)
    time.sleep(0.1)  # the pids are being written
    os.kill(json.loads((folder / "pids").read_text())[0], signal.SIGKILL)
    _, messages = swarm.communicate()
    assert swarm.returncode == 0, messages
    return int((folder / "hangs").read_text())


def check_all_is_there(folder: Path, dead: int) -> None:
    study = Study.open(folder)
    complete = [trial for trial in study.trials if trial.state == "complete"]
    assert len(complete) == TRIALS
    assert len({json.dumps(dict(trial.parameters)) for trial in complete}) == TRIALS

    # Every complete trial was trained by exactly one worker, and no worker finished one that is not there.
    ended = [json.loads(file.read_text()) for file in sorted(folder.glob("worker-*.json"))]
    assert len(ended) == WORKERS - 1
    trained = Counter(number for one in ended for number, state in one if state == "complete")
    assert trained == Counter(trial.number for trial in complete)

    killed = next(trial for trial in study.trials if trial.number == dead)
    assert killed.state == "failed"
    retries = [trial for trial in complete if trial.parameters == killed.parameters]
    assert len(retries) == 1
    assert all(trial.state in {"complete", "failed"} for trial in study.trials)


def test_on_the_journal_file(tmp_path: Path) -> None:
    dead = run_many(tmp_path / "study", "")
    check_all_is_there(tmp_path / "study", dead)


def test_on_postgresql(tmp_path: Path, postgres: str) -> None:
    dead = run_many(tmp_path / "study", postgres)
    check_all_is_there(tmp_path / "study", dead)

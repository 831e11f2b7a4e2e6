from __future__ import annotations

import json
from datetime import datetime

import torch

from lilliput.data.pack import Pack
from lilliput.training.environment import describe_environment, memory_bytes, usable_cores
from lilliput.training.runtime import Runtime


def test_it_says_what_a_run_was_made_with(plain: Runtime, tiny_pack: Pack) -> None:
    found = describe_environment(plain, tiny_pack, "lilliput train m1")
    assert json.loads(json.dumps(found)) == found
    assert found["command"] == "lilliput train m1"
    assert found["versions"]["torch"].partition("+")[0] == torch.__version__.partition("+")[0]
    assert found["runtime"]["threads"] == plain.threads
    assert found["data"]["fingerprint"] == tiny_pack.fingerprint
    assert found["data"]["counts"] == {"train": 48, "val": 16}
    assert found["data"]["classes"] == 4
    assert datetime.fromisoformat(found["started"]).tzinfo is not None
    assert found["git"] is None or set(found["git"]) == {"commit", "dirty"}


def test_the_machine() -> None:
    assert usable_cores() >= 1
    assert memory_bytes() is None or memory_bytes() > 2**20

"""What a run was made with: versions, machine, git state."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import lilliput
from lilliput.data.decoding import cores as usable_cores
from lilliput.data.pack import Pack
from lilliput.training.runtime import Runtime

_PACKAGES = ("torch", "numpy", "simplejpeg", "pillow", "safetensors")


class Dropped(NamedTuple):
    """How many ``images`` a list took out of the training, and the SHA-256 of the list."""

    images: int
    sha256: str


def describe_environment(
    runtime: Runtime, pack: Pack, command: str, dropped: Dropped | None = None
) -> dict[str, Any]:
    """The content of a run's ``environment.json``, but for the classes. All of it is JSON."""
    drop = {"dropped": dropped.images, "drop_sha256": dropped.sha256} if dropped else {}
    return {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": command,
        "versions": {
            "lilliput": lilliput.__version__,
            "python": platform.python_version(),
            **{name: version(name) for name in _PACKAGES},
        },
        "machine": {
            "system": f"{platform.system()} {platform.machine()}",
            "processor": processor(),
            "cores": usable_cores(),
            "memory_bytes": memory_bytes(),
        },
        "runtime": runtime.to_json(),
        "git": _git_state(),
        "data": {
            "path": str(pack.path.resolve()),
            "fingerprint": pack.fingerprint,
            "classes": len(pack.classes),
            "counts": dict(pack.counts),
            **drop,
        },
    }


def processor() -> str:
    """The processor's name as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def memory_bytes() -> int | None:
    """The machine's memory, or None where the system does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def _git_state() -> dict[str, Any] | None:
    """Commit and cleanness of the checkout this code runs from; None when it is installed otherwise."""
    here = Path(__file__).resolve().parent

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", "-C", str(here), *words], capture_output=True, text=True, check=True, timeout=10
        ).stdout.strip()

    try:
        if not git("ls-files", "__init__.py"):
            return None
        return {"commit": git("rev-parse", "HEAD"), "dirty": bool(git("status", "--porcelain"))}
    except (OSError, subprocess.SubprocessError):
        return None

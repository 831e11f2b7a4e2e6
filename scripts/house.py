"""The rules of the house that no tool knows. Prints every breach and ends with 1 if there is one."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MAX_LINES = 350
# Written in pieces, so that this file does not breach its own rule.
FORBIDDEN = [
    r"pypi\." + r"org",
    r"python" + r"hosted",
    r"registry\." + r"npmjs",
    r"deb\." + r"debian",
    r"/wo" + r"rk/",
    r"/ro" + r"ot/",
    r"/ho" + r"me/[a-z]",
    r"/Us" + r"ers/[a-z]",
]


def project_files() -> list[Path]:
    """Every file git knows or would add; without git, every file outside dot folders."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    if answer.returncode == 0:
        paths = [ROOT / name for name in answer.stdout.decode().split("\0") if name]
    else:
        paths = [p for p in ROOT.rglob("*") if not any(x.startswith(".") for x in p.parts)]
    return sorted(path for path in paths if path.is_file())


def too_long() -> Iterator[str]:
    """Source files nobody can keep in mind."""
    for path in sorted((ROOT / "src").rglob("*.py")):
        lines = len(path.read_text(encoding="utf-8").splitlines())
        if lines > MAX_LINES:
            yield f"{path.relative_to(ROOT)}: {lines} lines, the house allows {MAX_LINES}"


def forbidden_words() -> Iterator[str]:
    """Package registries' hosts and paths that exist on one machine only."""
    pattern = re.compile("|".join(FORBIDDEN))
    for path in project_files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(text.splitlines(), 1):
            if found := pattern.search(line):
                yield f"{path.relative_to(ROOT)}:{number}: names {found.group()!r}"


def version_mismatch() -> Iterator[str]:
    """The newest released entry of the changelog is the package's version."""
    package = (ROOT / "src/lilliput/__init__.py").read_text(encoding="utf-8")
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    version = re.search(r'^__version__ = "(.+)"$', package, re.MULTILINE)
    newest = re.search(r"^## \[(\d[^\]]*)\]", changelog, re.MULTILINE)
    if version is None or newest is None or version.group(1) != newest.group(1):
        yield (
            f"package version {version and version.group(1)}, newest changelog entry "
            f"{newest and newest.group(1)}"
        )


CHECKS = {"size": too_long, "words": forbidden_words, "version": version_mismatch}


def main() -> int:
    """Run every check, print what it found."""
    breaches = [f"{name}: {breach}" for name, check in CHECKS.items() for breach in check()]
    for breach in breaches:
        print(breach)
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())

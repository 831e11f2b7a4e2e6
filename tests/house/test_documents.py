"""The documents say what the code says: commands, versions, names of files. Their links: test_links.py."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import lilliput
from lilliput.cli import PAGES
from lilliput.cli.app import COMMANDS

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_version_is_the_newest_changelog_entry() -> None:
    newest = re.search(r"^## \[(\d[^\]]*)\]", read("CHANGELOG.md"), re.MULTILINE)
    assert newest and newest.group(1) == lilliput.__version__


def test_readme_opens_with_the_two_commands() -> None:
    commands = re.findall(r"^(scripts/\S+)", read("README.md"), re.MULTILINE)
    assert commands[:2] == ["scripts/quickstart", "scripts/test"]


def test_every_command_is_in_the_readme_table() -> None:
    documented = re.findall(r"^\| `([\w-]+)", read("README.md"), re.MULTILINE)
    assert set(documented) == set(COMMANDS)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_command_and_option_a_document_shows_exists(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    shown = [
        line
        for block in re.findall(r"```(?:sh|console)\n(.*?)```", text, re.DOTALL)
        for line in block.splitlines()
    ]
    shown += re.findall(r"`(lilliput [a-z][^`]*)`", text)
    for line in shown:
        words = line.partition("#")[0].strip().removeprefix("$ ").split()
        if words[:1] != ["lilliput"] or len(words) < 2 or words[1].startswith("-"):
            continue
        assert words[1] in COMMANDS, f"{document.name}: {line}"
        page = (PAGES / f"{words[1]}.txt").read_text(encoding="utf-8")
        for option in (word.partition("=")[0] for word in words if word.startswith("--")):
            assert option in page or option in {"--help"}, f"{document.name}: {line}"


def test_every_script_a_document_names_exists() -> None:
    for document in DOCUMENTS:
        for name in re.findall(r"\bscripts/\w+(?:\.py)?", document.read_text(encoding="utf-8")):
            assert (ROOT / name).is_file(), f"{document.name}: {name}"


@pytest.mark.parametrize(("name", "most"), [("CONTRIBUTING.md", 60), ("docs/tour.md", 80)])
def test_documents_stay_short(name: str, most: int) -> None:
    assert len(read(name).splitlines()) <= most


def test_decisions_are_numbered_short_and_listed() -> None:
    decisions = sorted((ROOT / "docs/decisions").glob("0*.md"))
    texts = [path.read_text(encoding="utf-8") for path in decisions]
    assert [path.name[:4] for path in decisions] == [
        f"{n:04}" for n in range(1, len(decisions) + 1)
    ]
    assert all(len(text.splitlines()) <= 50 for text in texts)
    listed = re.findall(r"^(\d+\. )\[(.+)\]\((.+)\)$", read("docs/decisions/README.md"), re.M)
    titles = [text.partition("\n")[0].removeprefix("# ") for text in texts]
    assert [number + title for number, title, _ in listed] == titles
    assert [name for _, _, name in listed] == [path.name for path in decisions]


def test_every_key_of_a_recipe_is_documented() -> None:
    from lilliput.recipe import recipe_keys

    table = read("docs/recipes.md").partition("## Keys")[2].partition("## The notation")[0]
    documented = re.findall(r"`([a-z_0-9.]+)`", "".join(re.findall(r"^\|([^|]*)\|", table, re.M)))
    assert sorted(documented) == sorted(recipe_keys())

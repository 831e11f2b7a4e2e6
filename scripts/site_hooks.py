"""What the documentation site needs beyond MkDocs (``mkdocs.yml`` names it): links that work here and on a code host.

The documents link to files all over the repository, each by its path there. On the site every such file is a page
under ``repository/``: Markdown as it is, anything else as code. A link to a file that is not there stays as it is, and
the strict build refuses it.
"""

from __future__ import annotations

import html
import posixpath
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
DOCS, ELSEWHERE = "docs/", "repository/"
PICTURES = (".png", ".svg", ".webp")
LANGUAGES = {".py": "python", ".toml": "toml", ".sh": "sh", ".json": "json", ".ipynb": "json"}

_FENCE = re.compile(r"^((`{3,}).*?^\2[^\n]*$)", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<=\]\()(?![a-z+]+:|/|#)([^)#\s]+)")
_ITEM = re.compile(r"(?:[-*]|\d+\.) ")


def anchor(title: str, separator: str = "-") -> str:
    """The anchor of a heading, as code hosts make it, so that one link serves both."""
    kept = re.sub(r"[^\w\- ]", "", html.unescape(title).strip().lower())
    return kept.replace(" ", separator)


def prose(text: str, change: Callable[[str], str]) -> str:
    """``text`` with everything outside of fenced code changed."""
    parts = _FENCE.split(text)  # in turn: prose, a fence, the backticks it begins with
    parts[::3] = map(change, parts[::3])
    return "".join(part for number, part in enumerate(parts) if number % 3 < 2)


def links(text: str) -> Iterator[str]:
    """The relative links of a Markdown text, without their anchors."""
    found: list[str] = []
    prose(text, lambda part: found.extend(_LINK.findall(part)) or part)
    yield from found


def on_config(config: Any) -> Any:
    """Anchors are made by :func:`anchor`; a folder named in ``nav`` stands for its pages."""
    config.mdx_configs.setdefault("toc", {})["slugify"] = anchor
    config.nav = _listed(config.nav)
    return config


def on_files(files: Any, config: Any) -> Any:
    """Add every file of the repository that a page links to, and those that these link to."""
    from mkdocs.structure.files import File

    pages = [DOCS + file.src_uri for file in files.documentation_pages()]
    waiting = {name: (ROOT / name).read_text(encoding="utf-8") for name in pages}
    seen = set(waiting)
    while waiting:
        name, text = waiting.popitem()
        for target in links(text):
            path = _target(name, target)
            if path in seen or path.startswith(DOCS) or not (ROOT / path).exists():
                continue
            seen.add(path)
            content = _content(path)
            files.append(File.generated(config, _page(path), content=content))
            if isinstance(content, str):
                waiting[_page(path).removeprefix(ELSEWHERE)] = content
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Links lead to pages of the site; a list may follow a paragraph without an empty line."""
    where = page.file.src_uri
    name = where.removeprefix(ELSEWHERE) if where.startswith(ELSEWHERE) else DOCS + where

    def moved(match: re.Match[str]) -> str:
        place = _page(_target(name, match[1]))
        if files.get_file_from_path(place) is None:
            return match[1]
        return posixpath.relpath(place, posixpath.dirname(where) or ".")

    return prose(markdown, lambda part: _spaced(_LINK.sub(moved, part)))


def _listed(entry: Any) -> Any:
    if isinstance(entry, list):
        return [_listed(one) for one in entry]
    if isinstance(entry, dict):
        return {title: _listed(one) for title, one in entry.items()}
    if not entry.endswith("/"):
        return entry
    pages = sorted(path.name for path in (ROOT / DOCS / entry).glob("*.md"))
    return [entry + name for name in sorted(pages, key=lambda name: name != "README.md")]


def _target(name: str, link: str) -> str:
    """The path in the repository of what the file ``name`` links to; of a folder its README, if it has one."""
    path = posixpath.normpath(posixpath.join(posixpath.dirname(name), link))
    return f"{path}/README.md" if (ROOT / path / "README.md").is_file() else path


def _page(path: str) -> str:
    if path.startswith(DOCS):
        return path.removeprefix(DOCS)
    return ELSEWHERE + path + ("" if path.endswith((".md", *PICTURES)) else ".md")


def _content(path: str) -> str | bytes:
    """A picture or a Markdown file as it is; of a folder the list of its files; of another file its text as code."""
    file = ROOT / path
    if path.endswith(PICTURES):
        return file.read_bytes()
    if file.is_dir():
        names = sorted(one.name for one in file.iterdir() if one.suffix in LANGUAGES)
        listed = "".join(f"- [{name}]({file.name}/{name})\n" for name in names)
        return f"# {file.name}\n\n`{path}/`\n\n{listed}"
    text = file.read_text(encoding="utf-8")
    if path.endswith(".md"):
        return text
    language = LANGUAGES.get(file.suffix, "text")
    return f"# {file.name}\n\n`{path}`\n\n`````{language}\n{text.rstrip()}\n`````\n"


def _spaced(text: str) -> str:
    lines: list[str] = []
    for line in text.split("\n"):
        before = lines[-1] if lines else ""
        is_first = _ITEM.match(line) and before and not before.startswith(" ")
        if is_first and not _ITEM.match(before):
            lines.append("")
        lines.append(line)
    return "\n".join(lines)

"""One offline HTML page about a run, an ensemble, a study, an ablation, an audit, or a folder with several of them.

A pure reader: everything on the page comes from the folders, also the average of several runs, which is computed from
their stored predictions. The page loads nothing from anywhere; its only script sorts tables, and the page's policy
allows no other. Names in it are text, whatever they hold.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from lilliput.analysis.report.ablation import tell_ablation
from lilliput.analysis.report.audit import Audit, tell_audit
from lilliput.analysis.report.blocks import Chapter, Page
from lilliput.analysis.report.drawing import Place, natural
from lilliput.analysis.report.ensemble import tell_ensemble
from lilliput.analysis.report.overview import tell_overview
from lilliput.analysis.report.pictures import Album
from lilliput.analysis.report.run import tell_run
from lilliput.analysis.report.study import tell_study
from lilliput.errors import RunError
from lilliput.results.ablation import Ablation
from lilliput.results.atomic import write_bytes
from lilliput.results.ensemble import Ensemble
from lilliput.results.run import Run
from lilliput.results.study import Study

_HERE = Path(__file__).parent
_IN_FULL_AT_MOST = 3  # with more results, each is told briefly, folded under its name


def write_report(path: Path) -> Path:
    """Write ``report.html`` into ``path``: a result's folder, or a folder with results one or two levels below it.

    Of several results, a damaged one is named on the page and left out; a single one must be whole.
    Raises: RunError when there is no result, or none that can be read; StorageError.
    """
    path = Path(path)
    folders = find_results(path)
    album, told, problems = Album(), [], []
    has_many = len(folders) > _IN_FULL_AT_MOST
    for folder in folders:
        try:
            told.append(_tell(folder, Place(f"result-{len(told) + 1}", album, has_many)))
        except RunError as error:
            if folders == [path]:
                raise
            problems.append((folder.name, str(error)))
    if not told:
        raise RunError(f"no run below {path} can be read: {problems[0][1]}", "train again")
    chapters = [chapter for _, chapter in told]
    is_single = folders == [path] or len(folders) == 1
    title = chapters[0].name if is_single else path.resolve().name
    page = Page(
        title=title,
        chapters=chapters,
        overview=None if len(chapters) == 1 else tell_overview(title, told),
        problems=problems,
        is_folded=has_many,
    )
    target = path / "report.html"
    # A file name may hold bytes that are no text; they become question marks.
    write_bytes(target, render(page).encode("utf-8", "replace"))
    return target


def find_results(path: Path) -> list[Path]:
    """``path`` itself if it is a result, else the results one or two levels below it, in natural order.

    What lies inside a result (an ensemble's members, a study's trials) belongs to it; hidden folders, such as
    one that is being written, are passed over.
    Raises: RunError when there is none.
    """
    if not path.is_dir():
        raise RunError(f"there is no folder {path}", "name a run folder, or a folder of runs")
    if _mark(path):
        return [path]
    found = []
    for child in _folders(path):
        below = [child] if _mark(child) else _folders(child)
        found += [folder for folder in below if _mark(folder)]
    if not found:
        raise RunError(f"there is no run in {path}", "train one: lilliput train m1 --data DATA")
    return found


def _folders(path: Path) -> list[Path]:
    seen = (one for one in path.iterdir() if one.is_dir() and not one.name.startswith("."))
    return sorted(seen, key=natural)


def render(page: Page) -> str:
    """The page as HTML."""
    script = _text("sort.js")
    allowed = b64encode(sha256(script.encode()).digest()).decode()
    style = Markup(_text("style.css"))
    html = _template().render(page=page, script=Markup(script), style=style, allowed=allowed)
    return html.lstrip()


def _mark(folder: Path) -> str:
    return next((mark for mark in KINDS if (folder / mark).is_file()), "")


def _tell(folder: Path, place: Place) -> tuple[object, Chapter]:
    kind = KINDS[_mark(folder)]
    result = kind.open(folder)
    return result, kind.tell(result, place)


def _text(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html.jinja")


class Kind(NamedTuple):
    """How a kind of result is opened, and how its chapter is told."""

    open: Callable[[Path], Any]
    tell: Callable[[Any, Place], Chapter]


# By the file that makes a folder one of the kind.
KINDS: dict[str, Kind] = {
    "ensemble.json": Kind(Ensemble.open, tell_ensemble),
    "study.json": Kind(Study.open, tell_study),
    "ablation.json": Kind(Ablation.open, tell_ablation),
    "audit.json": Kind(Audit.open, tell_audit),
    "recipe.toml": Kind(Run.open, tell_run),
}

"""What a reproduction ends in: one page with every claim, table and figure, and the same as JSON and Markdown."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from matplotlib.figure import Figure

from lilliput.analysis.audit import CAUSES_FILE
from lilliput.analysis.figures import FIGURES
from lilliput.analysis.figures.ablation import ablation_numbers, draw_ablation
from lilliput.analysis.figures.curves import PAPER_ACCURACY
from lilliput.analysis.figures.search import STUDY_FIGURES
from lilliput.analysis.report.blocks import (
    Block,
    Cell,
    Chapter,
    Column,
    Commands,
    Note,
    Page,
    Section,
    Table,
    Verdict,
)
from lilliput.analysis.report.drawing import as_chart, title_of
from lilliput.analysis.report.page import render
from lilliput.analysis.report.pictures import Album
from lilliput.analysis.style import figure_style
from lilliput.notation import ZOO
from lilliput.reproduce.conclusion import JUDGED, Conclusion, facts, markdown, seconds_of
from lilliput.reproduce.evidence import (
    BEATEN,
    MET,
    MISSED,
    VERDICTS,
    Evidence,
    between,
    share,
)
from lilliput.reproduce.steps import NETWORKS, STEPS
from lilliput.reproduce.work import Work
from lilliput.results.atomic import write_bytes, write_text
from lilliput.results.folder import Predicted
from lilliput.results.run import Run

_CLASSES = 200
_MARKS = {MET: "\N{CHECK MARK} ", BEATEN: "\N{CHECK MARK} ", MISSED: "\N{MULTIPLICATION X} "}


def write_conclusion(conclusion: Conclusion) -> Path:
    """Write ``reproduction.html``, ``.json`` and ``.md`` into the reproduction's folder; gives the page.

    Raises: RunError when a finished step is damaged; StorageError.
    """
    work = conclusion.evidence.work
    text = json.dumps(facts(conclusion), indent=1, ensure_ascii=False) + "\n"
    write_text(work.folder / "reproduction.json", text)
    write_text(work.folder / "reproduction.md", markdown(conclusion))
    target = work.folder / "reproduction.html"
    write_bytes(target, render(_page(conclusion)).encode("utf-8", "replace"))
    return target


def _page(conclusion: Conclusion) -> Page:
    work, counts = conclusion.evidence.work, conclusion.counts
    verdict = Verdict(
        share=None,
        lead=f"{conclusion.lead}.",
        facts=[(verdict, str(n)) for verdict, n in counts.items()],
        notes=list(_remarks(work)),
    )
    chapter = Chapter(
        key="reproduction",
        word="reproduction",
        name="The paper, reproduced",
        verdict=verdict,
        sections=[section for section in _sections(conclusion) if section.blocks],
    )
    return Page(title="The paper, reproduced", chapters=[chapter])


def _sections(conclusion: Conclusion) -> Iterator[Section]:
    evidence, album = conclusion.evidence, Album()
    m4 = evidence.network("m4")
    parts: dict[str, tuple[str, list[Block | None]]] = {
        "12": ("1, 2  The data set", [_causes(album, evidence), _picture(album, m4, "hardest")]),
        "34": (
            "3, 4  The networks",
            [_table_1(evidence), _ablation(evidence, "nonlinearity")],
        ),
        "5": (
            "5  M4",
            [
                _at_chance(evidence),
                *(_chart(m4, name) for name in ("loss", "accuracy", "filters", "classes")),
                *(
                    _picture(album, m4, name)
                    for name in ("best-classes", "worst-classes", "causes")
                ),
            ],
        ),
        "6": ("6  Ensembles", [*_search(evidence), _chart(evidence.ensemble, "subsets")]),
        "7": (
            "7  Ideas",
            [
                *(_ablation(evidence, step) for step in ("ideas", "residual")),
                _chart(evidence.larger, "subsets", "of the seeds of one recipe"),
            ],
        ),
    }
    for digits, (title, figures) in parts.items():
        yield _section(title, [_claims(conclusion, digits), *figures])
    yield Section(title="How ours is computed", blocks=[_methods(conclusion)], is_folded=True)
    yield Section(title="What was spent", blocks=[_budgets(evidence.work)], is_folded=True)
    yield Section(title="The same again", blocks=[_commands(evidence.work)], is_folded=True)


def _remarks(work: Work) -> Iterator[str]:
    yield f"Scale {work.scale.name}: {work.scale.purpose}."
    if not work.scale.is_papers:
        yield (
            "Every training here is shorter than the paper's: accuracies are far below what the networks can do, and a "
            "claim about them is only judged where a short training is enough to judge it."
        )
    if len(work.pack.classes) != _CLASSES:
        yield "The data is not Tiny ImageNet: the paper says nothing about it."
    yield JUDGED


def _at_chance(evidence: Evidence) -> Note | None:
    """What the figures of an M4 that only guesses are worth."""
    if not evidence.is_at_chance("m4"):
        return None
    guess = share(1 / len(evidence.pack.classes))
    return Note(
        text=f"M4 is at chance: its 95 % interval includes the {guess} that guessing gets. "
        "The filters, the best and worst classes and the causes below (Fig. 4 to 6) show noise."
    )


def _section(title: str, blocks: Sequence[Block | None]) -> Section:
    return Section(title=title, blocks=[block for block in blocks if block])


def _chart(result: Predicted | None, name: str, of: str = "") -> Block | None:
    """A figure of a result; ``of`` tells two results of one name apart."""
    if result is None:
        return None
    return _drawn(lambda: FIGURES[name](result), f"{name}, {of or result.name}")


def _search(evidence: Evidence) -> Iterator[Block | None]:
    """How the search for the ensemble's models went."""
    study = evidence.study
    if study is not None:
        for name, make in STUDY_FIGURES.items():
            yield _drawn(partial(make, study), f"{title_of(name)}, search over M3")


def _ablation(evidence: Evidence, step: str) -> Block | None:
    ablation = evidence.ablation(step)
    numbers = ablation_numbers(ablation) if ablation else None
    return _drawn(lambda: draw_ablation(numbers), f"ablation {step}") if numbers else None


def _drawn(draw: Callable[[], Figure | None], title: str) -> Block | None:
    with figure_style():
        figure = draw()
        key = "".join(c if c.isalnum() else "-" for c in title.lower())
        return as_chart(figure, title, key) if figure else None


def _picture(album: Album, run: Run | None, name: str) -> Block | None:
    path = run.figures_path / f"{name}.png" if run else None
    return album.take(path, name.replace("-", " ")) if path and path.is_file() else None


def _causes(album: Album, evidence: Evidence) -> Block | None:
    """Fig. 1: images of each cause, as the audit suggests them."""
    place = evidence.place("audit")
    path = place / CAUSES_FILE if place else None
    return album.take(path, "images of each cause") if path and path.is_file() else None


def _claims(conclusion: Conclusion, digits: str) -> Table:
    """The claims of the sections that begin with one of the digits."""
    rank = {verdict: place for place, verdict in enumerate(VERDICTS)}
    rows = []
    for place, (claim, answer) in enumerate(conclusion.answers):
        if claim.section[0] not in digits:
            continue
        rows.append(
            [
                Cell(claim.section, order=place),
                Cell(claim.sentence),
                Cell(claim.paper),
                Cell(answer.ours),
                Cell(answer.interval),
                Cell(
                    f"{_MARKS.get(answer.verdict, '')}{answer.verdict}", order=rank[answer.verdict]
                ),
            ]
        )
    titles = ["\N{SECTION SIGN}", "the paper says", "paper", "ours", "95 % interval", "verdict"]
    return Table(title="", columns=[Column(title) for title in titles], rows=rows)


def _methods(conclusion: Conclusion) -> Table:
    rows = [
        [Cell(claim.section, order=place), Cell(claim.sentence), Cell(claim.how), Cell(answer.note)]
        for place, (claim, answer) in enumerate(conclusion.answers)
    ]
    titles = ["\N{SECTION SIGN}", "the paper says", "ours is", "and"]
    return Table(title="", columns=[Column(title) for title in titles], rows=rows)


def _table_1(evidence: Evidence) -> Table:
    rows = []
    for name in NETWORKS:
        found, run = evidence.evaluation(name), evidence.network(name)
        speed = sorted(epoch.images_per_second for epoch in run.history) if run else []
        rows.append(
            [
                Cell(name.upper()),
                Cell(ZOO[name].notation),
                Cell(share(PAPER_ACCURACY[name])),
                Cell(_with_chance(evidence, name, share(found.top1)) if found else ""),
                Cell(between(found.interval) if found else ""),
                Cell(evidence.budget(name).words),
                Cell(f"{speed[len(speed) // 2]:,.0f}" if speed else ""),
            ]
        )
    titles = [
        "",
        "architecture",
        "paper, test",
        "ours, val",
        "95 % interval",
        "trained for",
        "images/s",
    ]
    numbers = {"paper, test", "ours, val", "95 % interval", "images/s"}
    return Table(title="Table 1", columns=[Column(t, t in numbers) for t in titles], rows=rows)


def _with_chance(evidence: Evidence, name: str, text: str) -> str:
    return f"{text} (at chance)" if evidence.is_at_chance(name) else text


def _budgets(work: Work) -> Table:
    rows = []
    for name, step in STEPS.items():
        budget = work.scale.budgets.get(name)
        seconds = seconds_of(work, name)
        rows.append(
            [
                Cell(step.title),
                Cell(budget.words if budget else ""),
                Cell(f"{budget.seeds}" if budget else ""),
                Cell(f"{budget.trials}" if budget and budget.trials else ""),
                Cell(" ".join(budget.changes) if budget else ""),
                Cell(f"{seconds:,.0f} s" if seconds is not None else "not done", order=seconds),
            ]
        )
    titles = ["step", "each training", "seeds", "trials", "changes", "took"]
    numbers = {"seeds", "trials", "took"}
    return Table(title="", columns=[Column(t, t in numbers) for t in titles], rows=rows)


def _commands(work: Work) -> Commands:
    words = ["lilliput", "reproduce", "--data", str(work.pack.path)]
    again = shlex.join([*words, "--scale", work.scale.name, "--to", str(work.folder)])
    longer = shlex.join([*words, "--scale", "full", "--to", f"{work.folder}-full"])
    return Commands(lines=[("All of it", again), ("At the paper's length", longer)])

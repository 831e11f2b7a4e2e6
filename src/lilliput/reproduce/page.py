"""What a reproduction ends in: one page with every claim, table and figure, and the same as JSON and Markdown."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

import lilliput
from lilliput.analysis.figures import FIGURES
from lilliput.analysis.figures.ablation import ablation_numbers, draw_ablation
from lilliput.analysis.report.blocks import (
    Block,
    Cell,
    Chapter,
    Column,
    Commands,
    Page,
    Section,
    Table,
    Verdict,
)
from lilliput.analysis.report.drawing import as_chart
from lilliput.analysis.report.page import render
from lilliput.analysis.report.pictures import Album
from lilliput.analysis.style import figure_style
from lilliput.analysis.verdict import Predicted
from lilliput.notation import ZOO
from lilliput.reproduce.claims import CLAIMS, Claim
from lilliput.reproduce.evidence import (
    BEATEN,
    ELSEWHERE,
    MET,
    MISSED,
    NOT_TESTED,
    VERDICTS,
    Answer,
    Evidence,
    between,
    share,
)
from lilliput.reproduce.steps import NETWORKS, STEPS
from lilliput.reproduce.work import Work
from lilliput.results.atomic import write_bytes, write_text
from lilliput.results.run import Run

PAPER = 'J. Ting, "Using Convolutional Neural Network for the Tiny ImageNet Challenge", Stanford'
_CLASSES = 200
_PAPER_SHARE = {"m1": "23.8 %", "m2": "28.6 %", "m3": "34.2 %", "m4": "39.3 %"}
_MARKS = {MET: "\N{CHECK MARK} ", BEATEN: "\N{CHECK MARK} ", MISSED: "\N{MULTIPLICATION X} "}
_JUDGED = (
    "The paper's accuracies are of test images, told by a server that is gone; its labels were never published. "
    "Ours are of the 10,000 official validation images, or of images held out of train where a choice is made."
)


@dataclass(frozen=True)
class Conclusion:
    """All claims with their answers, in the paper's order."""

    evidence: Evidence
    answers: tuple[tuple[Claim, Answer], ...]

    @property
    def counts(self) -> dict[str, int]:
        """How many claims have each verdict."""
        found = Counter(answer.verdict for _, answer in self.answers)
        return {verdict: found[verdict] for verdict in VERDICTS}

    @property
    def lead(self) -> str:
        """The whole in a sentence."""
        counts = self.counts
        judged = sum(n for verdict, n in counts.items() if verdict not in (ELSEWHERE, NOT_TESTED))
        held = counts[MET] + counts[BEATEN]
        rest = f"{counts[NOT_TESTED]} more need a larger scale" if counts[NOT_TESTED] else ""
        sentence = f"{held} of {judged} claims that this scale can judge hold"
        return f"{sentence}; {rest}" if rest else sentence


def conclude(work: Work) -> Conclusion:
    """Answer every claim from what there is. Raises: RunError when a finished step is damaged."""
    evidence = Evidence(work)
    return Conclusion(evidence, tuple((claim, claim.measure(evidence)) for claim in CLAIMS))


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


def facts(conclusion: Conclusion) -> dict[str, object]:
    """The conclusion as plain values."""
    work = conclusion.evidence.work
    return {
        "paper": PAPER,
        "lilliput": lilliput.__version__,
        "scale": work.scale.name,
        "data": str(work.pack.path),
        "fingerprint": work.pack.fingerprint,
        "steps": {
            name: {"finished": work.is_finished(name), "seconds": _seconds(work, name)}
            for name in STEPS
        },
        "verdicts": conclusion.counts,
        "claims": [
            {
                "id": claim.id,
                "section": claim.section,
                "claim": claim.sentence,
                "paper": claim.paper,
                "ours": answer.ours,
                "interval": answer.interval,
                "verdict": answer.verdict,
                "note": answer.note,
                "how": claim.how,
            }
            for claim, answer in conclusion.answers
        ],
    }


def markdown(conclusion: Conclusion) -> str:
    """The conclusion as a table in Markdown."""
    scale = conclusion.evidence.scale
    lines = [
        f"# The paper, reproduced at scale `{scale.name}`",
        "",
        f"{PAPER}.",
        "",
        f"{conclusion.lead}. Scale `{scale.name}`: {scale.purpose}. {_JUDGED}",
        "",
        "| \N{SECTION SIGN} | claim | paper | ours | 95 % interval | verdict |",
        "|---|---|---|---|---|---|",
    ]
    for claim, answer in conclusion.answers:
        cells = [claim.section, claim.sentence, claim.paper, answer.ours, answer.interval]
        lines.append("| " + " | ".join([*map(_cell, cells), f"**{answer.verdict}**"]) + " |")
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


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
        "12": ("1, 2  The data set", [_picture(album, m4, "hardest")]),
        "34": (
            "3, 4  The networks",
            [_table_1(evidence), _ablation(evidence, "nonlinearity")],
        ),
        "5": (
            "5  M4",
            [
                *(_chart(m4, name) for name in ("loss", "accuracy", "filters", "classes")),
                *(
                    _picture(album, m4, name)
                    for name in ("best-classes", "worst-classes", "causes")
                ),
            ],
        ),
        "6": ("6  Ensembles", [_chart(evidence.ensemble, "subsets")]),
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
    yield _JUDGED


def _section(title: str, blocks: Sequence[Block | None]) -> Section:
    return Section(title=title, blocks=[block for block in blocks if block])


def _chart(result: Predicted | None, name: str, of: str = "") -> Block | None:
    """A figure of a result; ``of`` tells two results of one name apart."""
    if result is None:
        return None
    return _drawn(lambda: FIGURES[name](result), f"{name}, {of or result.name}")


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
                Cell(_PAPER_SHARE[name]),
                Cell(share(found.top1) if found else ""),
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


def _budgets(work: Work) -> Table:
    rows = []
    for name, step in STEPS.items():
        budget = work.scale.budgets.get(name)
        seconds = _seconds(work, name)
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
    again = f"lilliput reproduce --data {work.pack.path} --scale {work.scale.name}"
    return Commands(
        lines=[("All of it", again), ("At the paper's length", f"{again.rpartition(' ')[0]} full")]
    )


def _seconds(work: Work, step: str) -> float | None:
    return work.seconds(step) if work.is_finished(step) else None

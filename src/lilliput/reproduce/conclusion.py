"""All claims answered: the count of verdicts, and the same as plain values and as Markdown."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import lilliput
from lilliput.reproduce.claims import CLAIMS, Claim
from lilliput.reproduce.evidence import (
    BEATEN,
    ELSEWHERE,
    MET,
    NOT_TESTED,
    VERDICTS,
    Answer,
    Evidence,
)
from lilliput.reproduce.steps import STEPS
from lilliput.reproduce.work import Work

PAPER = 'J. Ting, "Using Convolutional Neural Network for the Tiny ImageNet Challenge", Stanford'
JUDGED = (
    "The paper's accuracies are of test images, told by a server that is gone; its labels were never published. "
    "Ours are of the 10,000 official validation images, or of images held out of train where a choice is made."
)
Counts = dict[str, int]


@dataclass(frozen=True)
class Conclusion:
    """All claims with their answers, in the paper's order."""

    evidence: Evidence
    answers: tuple[tuple[Claim, Answer], ...]

    @property
    def counts(self) -> Counts:
        """How many claims have each verdict."""
        return _counted([answer for _, answer in self.answers])

    @property
    def measured(self) -> Counts:
        """The same, of the claims that only a trained network can answer or that are not ours to test."""
        return _counted([answer for claim, answer in self.answers if not claim.is_check])

    @property
    def checks(self) -> Counts:
        """The same, of what counting or reading answers: data, definitions, arithmetic, recipes."""
        return _counted([answer for claim, answer in self.answers if claim.is_check])

    @property
    def lead(self) -> str:
        """The whole in a sentence."""
        (held, judged), (right, checked) = _score(self.measured), _score(self.checks)
        first = (
            f"{held} of {judged} measured claims that this scale can judge hold"
            if judged
            else "This scale can judge no measured claim"
        )
        parts = [f"{first}; {right} of {checked} checks of data and definitions hold"]
        if self.counts[NOT_TESTED]:
            parts.append(f"{self.counts[NOT_TESTED]} more need a larger scale")
        return "; ".join(parts)


def _counted(answers: list[Answer]) -> Counts:
    found = Counter(answer.verdict for answer in answers)
    return {verdict: found[verdict] for verdict in VERDICTS}


def _score(counts: Counts) -> tuple[int, int]:
    judged = sum(n for verdict, n in counts.items() if verdict not in (ELSEWHERE, NOT_TESTED))
    return counts[MET] + counts[BEATEN], judged


def conclude(work: Work) -> Conclusion:
    """Answer every claim from what there is. Raises: RunError when a finished step is damaged."""
    evidence = Evidence(work)
    return Conclusion(evidence, tuple((claim, claim.measure(evidence)) for claim in CLAIMS))


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
            name: {"finished": work.is_finished(name), "seconds": seconds_of(work, name)}
            for name in STEPS
        },
        "verdicts": conclusion.counts,
        "measured": conclusion.measured,
        "checks": conclusion.checks,
        "claims": [
            {
                "id": claim.id,
                "section": claim.section,
                "kind": "check" if claim.is_check else "measured",
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
        f"{conclusion.lead}. Scale `{scale.name}`: {scale.purpose}. {JUDGED}",
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


def seconds_of(work: Work, step: str) -> float | None:
    """How long a finished step took; None before it is."""
    return work.seconds(step) if work.is_finished(step) else None

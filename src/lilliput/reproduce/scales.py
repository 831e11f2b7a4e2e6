"""How much work each step of a reproduction gets: one table, from a test of seconds to the paper's own length."""

from __future__ import annotations

from dataclasses import dataclass

from lilliput.errors import UsageError, did_you_mean

TRAIN_IMAGES = 100_000
PAPER_EPOCHS, PAPER_VARIANT_EPOCHS = 150, 75
_ENOUGH_EPOCHS = 15  # from here on a network trained on everything has learned what augmentation and the like pay for


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What one step may spend: ``limit`` is data.limit, 0 takes all training images; ``models`` how many are kept.

    ``folds`` 0 judges trials on the share ``holdout`` of train instead of by cross-validation.
    """

    epochs: int = 1
    limit: int = 0
    seeds: int = 1
    trials: int = 0
    folds: int = 0
    holdout: float = 0.1
    models: int = 0
    changes: tuple[str, ...] = ()

    @property
    def is_enough(self) -> bool:
        """Whether what does not show after so much training counts as not being so."""
        return self.limit == 0 and self.epochs >= _ENOUGH_EPOCHS

    @property
    def words(self) -> str:
        """The training in words: "2 epochs of 20,000 images"."""
        images = f"{self.limit:,} images" if self.limit else "all training images"
        return f"{self.epochs} {'epoch' if self.epochs == 1 else 'epochs'} of {images}"

    @property
    def overrides(self) -> tuple[str, ...]:
        """As changes to a recipe."""
        return (f"training.epochs={self.epochs}", f"data.limit={self.limit}", *self.changes)


@dataclass(frozen=True, kw_only=True)
class Scale:
    """A budget for every step, by the step's name; ``changes`` go to every recipe; ``purpose`` is for people.

    ``is_papers`` says that the budgets are the paper's own, so that falling short of its numbers is a verdict.
    """

    name: str
    purpose: str
    budgets: dict[str, Budget]
    changes: tuple[str, ...] = ()
    is_papers: bool = False

    def __getitem__(self, step: str) -> Budget:
        return self.budgets[step]


def scale_named(name: str) -> Scale:
    """The scale of this name. Raises: UsageError."""
    if name not in SCALES:
        raise UsageError(f"there is no scale '{name}'", did_you_mean(name, SHOWN))
    return SCALES[name]


# Short trainings want a schedule that comes to rest within them, and settled arithmetic instead of timing it each time.
_CYCLE = ("schedule.name=one-cycle", "optimizer.learning_rate=0.02")
_SETTLED = ("training.precision=fp32", "training.memory_format=channels_last")
# So few images are better seen in smaller steps. The larger networks take longer to judge 10,000 images than to learn
# from 3,000, so they are judged on a few hundred of train meanwhile, and on val once, at the end.
_SMALL = ("training.batch_images=32",)
_FEW = (*_SMALL, "data.holdout=0.004")
_DISTINCT = ("schedule.name=one-cycle",)  # where the search has found the rate

# fmt: off
SCALES: dict[str, Scale] = {
    scale.name: scale
    for scale in (
        Scale(
            name="tiny",
            purpose="a test of the machinery on the toy set; no number of it means anything",
            changes=_SETTLED,
            budgets={
                "m1":               Budget(limit=64, changes=_CYCLE),
                "m2":               Budget(limit=32, changes=_CYCLE),
                "m3":               Budget(limit=32, changes=_CYCLE),
                "m4":               Budget(limit=32, changes=_CYCLE),
                "nonlinearity":     Budget(limit=48, seeds=2, holdout=0.1, changes=_CYCLE),
                "search":           Budget(limit=16, trials=3, folds=0, holdout=0.05, changes=_DISTINCT),
                "variants":         Budget(limit=16, models=3, changes=_DISTINCT),
                "ideas":            Budget(limit=48, seeds=2, holdout=0.1, changes=_CYCLE),
                "residual":         Budget(limit=16, seeds=1, holdout=0.05, changes=_CYCLE),
                "larger-ensembles": Budget(limit=48, seeds=4, changes=_CYCLE),
            },
        ),
        Scale(
            name="quick",
            purpose="every row and figure with real numbers; measured: 18 min on two cores in fp32",
            changes=_SETTLED,
            budgets={
                "m1":               Budget(epochs=2, limit=30_000, changes=_CYCLE),
                "m2":               Budget(limit=3_000, changes=(*_CYCLE, *_FEW)),
                "m3":               Budget(limit=3_000, changes=(*_CYCLE, *_FEW)),
                "m4":               Budget(epochs=2, limit=3_000, changes=(*_CYCLE, *_SMALL)),
                "nonlinearity":     Budget(limit=8_000, seeds=2, holdout=0.05, changes=_CYCLE),
                "search":           Budget(limit=600, trials=8, folds=0, holdout=0.01, changes=(*_DISTINCT, *_SMALL)),
                "variants":         Budget(limit=2_000, models=6, changes=(*_DISTINCT, *_FEW)),
                "ideas":            Budget(limit=5_000, seeds=2, holdout=0.05, changes=_CYCLE),
                "residual":         Budget(limit=800, seeds=2, holdout=0.01, changes=(*_CYCLE, *_SMALL)),
                "larger-ensembles": Budget(limit=5_000, seeds=8, changes=_CYCLE),
            },
        ),
        Scale(
            name="short",
            purpose="for a GPU, enough training for most verdicts; not measured yet how long it takes",
            budgets={
                "m1":               Budget(epochs=18, changes=_CYCLE),
                "m2":               Budget(epochs=15, changes=_CYCLE),
                "m3":               Budget(epochs=15, changes=_CYCLE),
                "m4":               Budget(epochs=20, changes=_CYCLE),
                "nonlinearity":     Budget(epochs=15, seeds=3, changes=_CYCLE),
                "search":           Budget(epochs=5, trials=20, folds=3, changes=_DISTINCT),
                "variants":         Budget(epochs=15, models=6, changes=_DISTINCT),
                "ideas":            Budget(epochs=15, seeds=3, changes=_CYCLE),
                "residual":         Budget(epochs=15, seeds=2, changes=_CYCLE),
                "larger-ensembles": Budget(epochs=15, seeds=10, changes=_CYCLE),
            },
        ),
        Scale(
            name="full",
            purpose="the paper's own lengths, for a GPU; not measured yet how long it takes",
            is_papers=True,
            budgets={
                "m1":               Budget(epochs=PAPER_EPOCHS),
                "m2":               Budget(epochs=PAPER_EPOCHS),
                "m3":               Budget(epochs=PAPER_EPOCHS),
                "m4":               Budget(epochs=PAPER_EPOCHS),
                "nonlinearity":     Budget(epochs=PAPER_EPOCHS, seeds=3),
                "search":           Budget(epochs=20, trials=40, folds=5),
                "variants":         Budget(epochs=PAPER_VARIANT_EPOCHS, models=6),
                "ideas":            Budget(epochs=PAPER_EPOCHS, seeds=3),
                "residual":         Budget(epochs=PAPER_EPOCHS, seeds=3),
                "larger-ensembles": Budget(epochs=PAPER_EPOCHS, seeds=10),
            },
        ),
    )
}
# fmt: on
SHOWN = tuple(name for name in SCALES if name != "tiny")

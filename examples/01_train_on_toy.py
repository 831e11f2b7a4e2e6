"""From drawn pictures to a report: one training, and what its folder gives back."""

import tempfile
from pathlib import Path

import lilliput

place = Path(tempfile.mkdtemp(prefix="lilliput-"))

pack = lilliput.prepare("toy")  # drawn by Lilliput; a zip or a folder of yours can stand here
print(f"{len(pack.classes)} classes; images: {dict(pack.counts)}")

run = lilliput.train("toy-a", pack, run=place / "first", overrides=["training.epochs=3"])
for epoch in run.history:
    print(
        f"epoch {epoch.epoch}: loss {epoch.train_loss:.2f}, right on val {epoch.val_accuracy:.1%}"
    )

verdict = lilliput.evaluate(run)
low, high = verdict.interval
print(
    f"{verdict.top1:.1%} of {verdict.n} images are labelled right (95 %: {low:.1%} .. {high:.1%})"
)
best = max(verdict.per_class, key=lambda one: one.accuracy)
print(f"the easiest class is {best.name}; guessing would get {1 / len(pack.classes):.1%}")

print("the whole story:", lilliput.write_report(run.path))

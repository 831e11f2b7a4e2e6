"""Three runs that differ by their seed, as one classifier: every subset of them, and a paired comparison."""

import tempfile
from pathlib import Path

import lilliput

place = Path(tempfile.mkdtemp(prefix="lilliput-"))
pack = lilliput.prepare("toy")
plan = "Resize(32) -> ConvReLU(F5-16) -> MaxPool -> ConvReLU(F3-32) -> MaxPool -> FC(16)"

runs = []
for seed in (1, 2, 3):
    changes = [f"model.plan={plan}", "model.dropout=0", "training.epochs=2", f"seed={seed}"]
    runs.append(lilliput.train("toy-a", pack, run=place / f"seed-{seed}", overrides=changes))
    print(f"seed {seed}: {lilliput.evaluate(runs[-1]).top1:.1%}")

together = lilliput.ensemble(runs, to=place / "together")
for one in together.results["sizes"]:
    print(f"{one['subsets']} subsets of {one['size']}: {one['mean']:.1%} in the mean")

pair = lilliput.compare([together, runs[0]]).pairs[0]
low, high = pair.paired.interval
print(f"all against the first: {pair.paired.difference:+.1%} ({low:+.1%} .. {high:+.1%})")
print("chance alone would explain that" if not pair.is_significant else "more than chance")

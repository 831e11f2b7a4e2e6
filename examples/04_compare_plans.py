"""Architectures are lines of text: what each costs before it is built, and what it learns in two epochs."""

import tempfile
from pathlib import Path

import lilliput

place = Path(tempfile.mkdtemp(prefix="lilliput-"))
pack = lilliput.prepare("toy")

PLANS = {
    "flat": "Resize(16) -> FCReLU(64) -> FC(16)",
    "small": "Resize(32) -> ConvReLU(F5-16) -> MaxPool -> ConvReLU(F3-32) -> MaxPool -> FC(16)",
    "normalised": "Resize(32) -> ConvBNReLU(F5-16) -> MaxPool -> ConvBNReLU(F3-32) -> MaxPool -> FC(16)",
}

for name, plan in PLANS.items():
    layers = lilliput.trace(lilliput.parse(plan), (3, *pack.image_size))
    parameters = sum(layer.parameters for layer in layers)
    multiply_adds = sum(layer.multiply_adds for layer in layers)
    print(f"{name}: {parameters:,} parameters, {multiply_adds:,} multiply-adds per image")

for name, plan in PLANS.items():
    changes = [f"model.plan={plan}", "model.dropout=0", "training.epochs=2"]
    run = lilliput.train("toy-a", pack, run=place / name, overrides=changes)
    low, high = lilliput.evaluate(run).interval
    print(f"{name}: {run.history[-1].val_accuracy:.1%} on val ({low:.1%} .. {high:.1%})")

"""A folder of one's own: class folders in, labels for new files out. The pictures are drawn here, in many sizes."""

import random
import tempfile
from pathlib import Path

from PIL import Image, ImageDraw

import lilliput

place = Path(tempfile.mkdtemp(prefix="lilliput-"))
CORNERS = {"triangle": 3, "square": 4, "circle": 30}


def draw(shape: str, file: Path, seed: int) -> None:
    """A bright shape, somewhere on something dark."""
    dice = random.Random(seed)
    side = dice.randint(48, 96)
    image = Image.new("RGB", (side, side), tuple(dice.choices(range(100), k=3)))
    circle = (side / 2, side / 2, side * dice.uniform(0.25, 0.45))
    bright = tuple(dice.choices(range(150, 256), k=3))
    ImageDraw.Draw(image).regular_polygon(circle, CORNERS[shape], dice.uniform(0, 90), fill=bright)
    file.parent.mkdir(parents=True, exist_ok=True)
    image.save(file)


for number, shape in enumerate(list(CORNERS) * 100):
    draw(shape, place / "shapes" / shape / f"{number}.png", seed=number)
draw("circle", place / "new" / "what.png", seed=1000)

pack = lilliput.prepare(place / "shapes", place / "pack", size=32)
plan = "ConvReLU(F5-16) -> MaxPool -> ConvReLU(F3-32) -> MaxPool -> FCReLU(64) -> FC(3)"
changes = [f"model.plan={plan}", "training.epochs=10", "augment.flip=true"]
run = lilliput.train("toy-a", pack, run=place / "run", overrides=changes)
print(f"right on {pack.counts['val']} held-out pictures: {lilliput.evaluate(run).top1:.1%}")
for guess in lilliput.predict(run, place / "new")[0].top:
    print(f"what.png: {guess.name} {guess.probability:.1%}")

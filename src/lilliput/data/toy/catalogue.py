"""The classes: what each looks like, where it is at home, how large it appears."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from lilliput.data.toy import garden, kitchen, outdoors
from lilliput.data.toy.pen import Pen


class Thing(NamedTuple):
    """A class of the toy set.

    ``scale`` is half the thing's extent as a fraction of the picture, from the smallest to the largest; ``turn`` the
    most it is turned to either side, in degrees; ``company`` the probability that something else is in the picture.
    """

    name: str
    draw: Callable[[Pen], None]
    places: tuple[str, ...]
    scale: tuple[float, float] = (0.26, 0.46)
    turn: float = 12.0
    company: float = 0.25


# The look-alikes, on purpose: umbrella and mushroom, teapot and watering can, ice cream and hot-air balloon, candle
# and lighthouse. The school bus is given away by its colour and size, the wooden spoon by nothing (Paper: §5.3).
THINGS: tuple[Thing, ...] = (
    Thing("cactus", garden.cactus, ("desert", "desert", "kitchen", "meadow", "parlour")),
    Thing("candle", kitchen.candle, ("parlour", "parlour", "kitchen", "night"), (0.2, 0.46), 4),
    Thing(
        "goldfish", outdoors.goldfish, ("seabed", "seabed", "seabed", "kitchen", "marble"), turn=25
    ),
    Thing(
        "hot-air balloon",
        outdoors.hot_air_balloon,
        ("sky", "sky", "meadow", "sea", "night"),
        (0.22, 0.48),
    ),
    Thing(
        "ice cream",
        kitchen.ice_cream,
        ("street", "kitchen", "sky", "sand", "meadow", "cloth"),
        turn=22,
    ),
    Thing("ladybug", garden.ladybug, ("leaf", "leaf", "meadow", "sand", "wood"), (0.14, 0.42), 180),
    Thing("lemon", kitchen.lemon, ("wood", "cloth", "marble", "kitchen", "leaf"), (0.18, 0.42), 60),
    Thing("lighthouse", outdoors.lighthouse, ("sea", "sea", "meadow", "night"), (0.24, 0.52), 3),
    Thing("mushroom", garden.mushroom, ("forest", "forest", "meadow", "wood"), (0.18, 0.46)),
    Thing("sailboat", outdoors.sailboat, ("sea", "sea", "sea", "sky", "sand"), (0.18, 0.46), 9),
    Thing(
        "school bus",
        outdoors.school_bus,
        ("street", "street", "meadow", "desert"),
        (0.42, 0.58),
        3,
        0.1,
    ),
    Thing(
        "starfish",
        outdoors.starfish,
        ("sand", "sand", "seabed", "marble", "wood"),
        (0.18, 0.44),
        180,
    ),
    Thing("teapot", kitchen.teapot, ("kitchen", "kitchen", "parlour", "cloth", "wood"), turn=10),
    Thing("umbrella", outdoors.umbrella, ("street", "meadow", "sand", "sky", "forest"), turn=28),
    Thing(
        "watering can",
        garden.watering_can,
        ("meadow", "meadow", "forest", "kitchen", "wood"),
        turn=10,
    ),
    Thing(
        "wooden spoon",
        kitchen.wooden_spoon,
        ("wood", "cloth", "marble", "kitchen", "parlour", "meadow"),
        (0.13, 0.5),
        180,
        0.75,
    ),
)

_FIRST_ID = 90000001


def toy_classes() -> tuple[tuple[str, str], ...]:
    """The classes as ``(id, name)``; the ids look like WordNet's but are none of them, and are sorted."""
    return tuple((f"n{_FIRST_ID + number}", thing.name) for number, thing in enumerate(THINGS))

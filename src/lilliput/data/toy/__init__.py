"""A drawn data set in the layout of Tiny ImageNet, so that everything can be tried before anything is downloaded.

What makes the real set interesting is in it on purpose (Paper: §1.2, Fig. 1, §5.3): a class that colour and size
give away (the school bus), a class of many shapes and sizes that rarely is the main subject (the wooden spoon),
classes that resemble each other, and a few pictures that are hard even for people.

    layout.py    the official files inside one zip: folders, boxes, annotations
    picture.py   one picture: the thing, its place, the light, and the four ways of being hard
    catalogue.py the classes: what is drawn, where it belongs, how large it appears
    kitchen.py garden.py outdoors.py props.py   the things themselves
    places.py    the backgrounds
    brush.py     what they are painted with
    light.py     shade, shadow, glow, the camera
    pen.py       shapes in a thing's own coordinates
"""

from __future__ import annotations

from lilliput.data.toy.catalogue import toy_classes
from lilliput.data.toy.layout import write_toy_zip

__all__ = ["toy_classes", "write_toy_zip"]

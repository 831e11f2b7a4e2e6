"""What the routes answer and take, for the OpenAPI page and whoever generates a client from it."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field


class Problem(BaseModel):
    """Why something was not done: ``kind`` for programs, ``message`` and ``hint`` for people."""

    kind: str
    message: str
    hint: str


class Failure(BaseModel):
    """Every error of every route."""

    error: Problem


class ClassGuess(BaseModel):
    """A class and the probability that it is the picture's."""

    id: str
    name: str
    probability: float = Field(ge=0, le=1)


class Answers(BaseModel):
    """What one classifier says to a picture, the most probable class first."""

    classifier: str
    top: list[ClassGuess]


class Picture(BaseModel):
    """A picture has answers, one per classifier; or an error."""

    file: str = Field(description="its name as it was sent; empty for a picture that is the body")
    answers: list[Answers] | None = None
    error: Problem | None = None


class Labelled(BaseModel):
    """The pictures in the order they were sent."""

    pictures: list[Picture]


class Explained(BaseModel):
    """How much less probable the best class becomes where a grey square covers the picture."""

    classifier: str
    best: ClassGuess
    drops: list[list[float]] = Field(description="rows of places, from the top left, each -1 .. 1")


class ClassOf(BaseModel):
    """A class."""

    id: str
    name: str


class ClassifierFacts(BaseModel):
    """A classifier that is served."""

    name: str
    source: str = Field(description="the run or ensemble it was exported from")
    classes: list[ClassOf] = Field(description="in the order of the probabilities")
    size: int = Field(description="height and width, in pixels, of what it looks at")
    views: list[str]
    metadata: dict[str, str] = Field(description="what the file says about itself")


class Model(BaseModel):
    """All that is served."""

    classifiers: list[ClassifierFacts]
    limits: dict[str, float]


class Example(BaseModel):
    """A picture to try, drawn by Lilliput."""

    name: str
    url: str


_BINARY = {"schema": {"type": "string", "format": "binary"}}
_FORM = {
    "schema": {
        "type": "object",
        "properties": {"file": {"type": "array", "items": {"type": "string", "format": "binary"}}},
    }
}
PICTURE_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "A picture file as it is, or a form with one or several.",
        "content": {"image/*": _BINARY, "multipart/form-data": _FORM},
    }
}
REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {"model": Failure, "description": why}
    for status, why in {
        400: "There is no picture in the request.",
        403: "Called by a name that is not allowed.",
        408: "The body took too long to arrive.",
        413: "The body is too large.",
        422: "The picture, or a value, cannot be read.",
        503: "The queue is full; Retry-After says when to come again.",
    }.items()
}

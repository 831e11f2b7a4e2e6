"""What a network says to a selection of images, while it is trained and afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from torch import nn

from lilliput.data.residence import Mapped, Residence, reside
from lilliput.data.selection import Selection
from lilliput.models.build import resize_images
from lilliput.models.predict import predict
from lilliput.recipe import EvaluationRecipe
from lilliput.results.metrics import log_loss, top_k_accuracy
from lilliput.results.predictions import Predictions
from lilliput.training.runtime import Runtime

PREDICT_IMAGES = 500


class Validation:
    """Judges a network on the validation images after every epoch, and keeps what it said ``last``.

    The finished network is asked as ``asked`` says; one in training about the plain view alone, at the size that it is
    trained with: that is faster. From then on the finished network sees images of the size it was asked with.
    """

    def __init__(self, selection: Selection, asked: EvaluationRecipe, runtime: Runtime) -> None:
        self.selection = selection
        self.asked = asked
        self.runtime = runtime
        self.last: Predictions | None = None

    def __call__(self, model: nn.Module, is_finished: bool) -> tuple[float, float]:
        """The mean softmax loss and the share of images right."""
        views = self.asked.views if is_finished else ("plain",)
        if is_finished and self.asked.image_pixels:
            resize_images(model, self.asked.image_pixels)
        self.last = predict_selection(model, self.selection, views, self.runtime, self._residence)
        return log_loss(self.last), top_k_accuracy(self.last, 1)

    def latest(self, model: nn.Module) -> Predictions:
        """What was said last; asked now of a training that stopped after its last epoch and goes on only to finish."""
        if self.last is None:
            self(model, True)
        assert self.last is not None
        return self.last

    @cached_property
    def _residence(self) -> Residence:
        return reside(self.selection, self.runtime.torch_device)


def predict_selection(
    model: nn.Module,
    selection: Selection,
    views: Sequence[str],
    runtime: Runtime,
    residence: Residence | None = None,
) -> Predictions:
    """The probabilities of all the selected images, averaged over the views. ``model`` is on the runtime's device.

    ``residence`` is where the images are kept; without one they are read for this once. Several processes ask about a
    part of the images each, and all of them get all the answers.
    """
    residence = residence or Mapped(selection, runtime.torch_device)
    part = runtime.world.part(len(selection))
    # At least one, for the network tells how many classes there are; it may be empty.
    starts = range(part.start, max(part.stop, part.start + 1), PREDICT_IMAGES)
    wanted = (slice(start, min(start + PREDICT_IMAGES, part.stop)) for start in starts)
    batches = map(runtime.arrange, residence.batches(wanted))
    bf16 = runtime.precision == "bf16"
    probabilities = predict(model, batches, views=views, bf16=bf16)
    everyones = runtime.world.gather(probabilities, len(selection))
    return Predictions(everyones, selection.labels, selection.names)

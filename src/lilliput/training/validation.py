"""What a network says to a selection of images, while it is trained and afterwards."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import Tensor, nn

from lilliput.data.batches import to_device
from lilliput.data.selection import Selection
from lilliput.models.predict import predict
from lilliput.results.metrics import log_loss, top_k_accuracy
from lilliput.results.predictions import Predictions
from lilliput.training.runtime import Runtime

PREDICT_IMAGES = 500


class Validation:
    """Judges a network on the validation images after every epoch, and keeps what it said ``last``."""

    def __init__(self, selection: Selection, views: Sequence[str], runtime: Runtime) -> None:
        self.selection = selection
        self.views = views
        self.runtime = runtime
        self.last: Predictions | None = None

    def __call__(self, model: nn.Module) -> tuple[float, float]:
        """The mean softmax loss and the share of images right."""
        self.last = predict_selection(model, self.selection, self.views, self.runtime)
        return log_loss(self.last), top_k_accuracy(self.last, 1)

    def latest(self, model: nn.Module) -> Predictions:
        """What was said last; asked now of a training that stopped after its last epoch and goes on only to finish."""
        if self.last is None:
            self.last = predict_selection(model, self.selection, self.views, self.runtime)
        return self.last


def predict_selection(
    model: nn.Module, selection: Selection, views: Sequence[str], runtime: Runtime
) -> Predictions:
    """The probabilities of all the selected images, averaged over the views. ``model`` is on the runtime's device.

    Several processes ask it about a part of the images each, and all of them get all the answers.
    """
    part = runtime.world.part(len(selection))

    def batches() -> Iterator[Tensor]:
        # At least one, for the network tells how many classes there are; it may be empty.
        for start in range(part.start, max(part.stop, part.start + 1), PREDICT_IMAGES):
            images = selection.images(slice(start, min(start + PREDICT_IMAGES, part.stop)))
            yield runtime.arrange(to_device(images, runtime.torch_device))

    bf16 = runtime.precision == "bf16"
    probabilities = predict(model, batches(), views=views, bf16=bf16)
    everyones = runtime.world.gather(probabilities, len(selection))
    return Predictions(everyones, selection.labels, selection.names)

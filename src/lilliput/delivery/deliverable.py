"""A run or a whole ensemble as one module with everything inside it: pictures in, probabilities out.

Views, resizing, standardisation, softmax, the mean over the views and the combination of an ensemble's members are part
of the graph; whoever opens an exported file calls it and is done. What is left outside is the way from a picture file
to pixels of the right size (``data.decode``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from lilliput.delivery.description import Description
from lilliput.delivery.resizing import ExactResize
from lilliput.errors import RunError
from lilliput.evaluation import load_model
from lilliput.models.blocks import ResidualBlock, ResizedImages, Standardize
from lilliput.models.predict import VIEWS
from lilliput.models.shared import BatchNorm
from lilliput.recipe import load_recipe
from lilliput.results.combine import SMALLEST, TIE_BREAK
from lilliput.results.ensemble import Ensemble
from lilliput.results.run import Run
from lilliput.training.weights import read_network


class Deliverable(nn.Module):
    """``members`` with what each counts, and the ensemble's ``method``; a run is one member."""

    def __init__(
        self, members: Sequence[Member], weights: Sequence[float] = (1,), method: str = "mean"
    ) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        # By the largest, as results.combine has it: members that all count alike are added exactly.
        self.weights = [weight / max(weights) for weight in weights]
        self.combination = COMBINATIONS[method]

    def forward(self, images: Tensor) -> Tensor:
        """Probabilities float32[n,k] of uint8[n,h,w,3]."""
        pixels = images.permute(0, 3, 1, 2).contiguous()
        probabilities = [member(pixels) for member in self.members]
        if len(probabilities) == 1:
            return probabilities[0]
        score, finish = self.combination
        total = torch.zeros_like(probabilities[0])
        for one, weight in zip(probabilities, self.weights, strict=True):
            total = total + score(one) * weight
        return finish(total / sum(self.weights))


class Member(nn.Module):
    """One trained network and its views.

    ``size`` is (height, width) of the images. With ``half`` everything behind the standardised pixels and before the
    softmax is computed in float16.
    """

    def __init__(
        self,
        model: nn.Sequential,
        size: tuple[int, int],
        views: Sequence[str] = ("plain",),
        *,
        half: bool = False,
    ) -> None:
        super().__init__()
        self.views = tuple(views)
        behind = 1 + next(i for i, one in enumerate(model) if isinstance(one, Standardize))
        self.pixels = _frozen(model[:behind], size)
        self.network = _frozen(model[behind:], size)
        self.half_precision = half
        if half:
            self.network.half()

    def forward(self, pixels: Tensor) -> Tensor:
        """Probabilities float32[n,k] of uint8[n,3,h,w]: the mean over all pictures of the views."""
        pictures = [picture for view in self.views for picture in VIEWS[view](pixels)]
        # As one batch, so that the network is in the graph once.
        values = self.pixels(torch.cat(pictures) if len(pictures) > 1 else pictures[0])
        logits = self.network(values.half() if self.half_precision else values)
        probabilities = logits.float().softmax(1)
        if len(pictures) == 1:
            return probabilities
        return probabilities.unflatten(0, (len(pictures), pixels.shape[0])).mean(0)


class Scaling(nn.Module):
    """A normalisation that has learned all it will: a factor and an offset for every map."""

    factor: Tensor
    offset: Tensor

    def __init__(self, norm: BatchNorm) -> None:
        super().__init__()
        factor, offset = _factor_and_offset(norm)
        self.register_buffer("factor", factor[:, None, None].float())
        self.register_buffer("offset", offset[:, None, None].float())

    def forward(self, values: Tensor) -> Tensor:
        """float[b,c,h,w] of the same."""
        return values * self.factor + self.offset


def deliverable_of(
    classifier: Run | Ensemble, precision: str = "fp32"
) -> tuple[Deliverable, Description]:
    """The module of a run or an ensemble, in evaluation mode, on the CPU, and what it is.

    Raises: RunError when weights are missing or damaged, or an ensemble's members want images of different sizes.
    """
    is_ensemble = isinstance(classifier, Ensemble)
    runs = classifier.members if is_ensemble else (classifier,)
    sizes = [image_size(run) for run in runs]
    if len(set(sizes)) > 1:
        raise RunError(
            f"the members of {classifier.path} were trained on images of different sizes: "
            + ", ".join(f"{run.name} {size[0]}x{size[1]}" for run, size in zip(runs, sizes, strict=True)),
            "make an ensemble of runs of one size",
        )  # fmt: skip
    views = [views_of(run) for run in runs]
    members = [
        Member(load_model(run), sizes[0], seen, half=precision == "fp16")
        for run, seen in zip(runs, views, strict=True)
    ]
    weights = classifier.weights if is_ensemble else (1.0,)
    method = classifier.method if is_ensemble else "mean"
    description = Description(
        classes=classifier.classes,
        size=sizes[0],
        views=tuple(dict.fromkeys(view for seen in views for view in seen)),
        source=classifier.name,
        precision=precision,
        method=method if is_ensemble else "",
        members=tuple(
            {"name": run.name, "weight": weight, "views": list(seen)}
            for run, weight, seen in zip(runs, weights, views, strict=True)
        )
        if is_ensemble
        else (),
    )
    module = Deliverable(members, weights, method).eval().requires_grad_(False)
    return module, description


def deliverable_of_weights(path: Path) -> tuple[Deliverable, Description]:
    """The module of a file of weights, with the views that its metadata names or the plain one. Raises: RunError."""
    network = read_network(path)
    description = Description.from_metadata(network.metadata, path)
    member = Member(network.model, description.size, description.views)
    return Deliverable([member]).eval().requires_grad_(False), description


def views_of(run: Run) -> tuple[str, ...]:
    """The views that the recipe of a run averages."""
    return load_recipe(run.recipe_path).evaluation.views


def image_size(run: Run) -> tuple[int, int]:
    """Height and width of the images that a run was trained on, in pixels. Raises: RunError."""
    return Description.from_metadata(run.weights_metadata(), run.weights_path).size


def _frozen(module: nn.Module, size: tuple[int, int]) -> nn.Module:
    """The same answers by fewer and plainer layers; ``module`` is used up."""
    if isinstance(module, ResizedImages):
        return ExactResize(size, module.pixels)
    if isinstance(module, ResidualBlock):
        before, body, shortcut = (
            nn.Sequential(_frozen(one, size))
            for one in (module.before, module.body, module.shortcut)
        )
        return ResidualBlock(before, body, shortcut, ends_with_relu=module.ends_with_relu)
    if isinstance(module, BatchNorm):
        return Scaling(module)
    if not isinstance(module, nn.Sequential):
        return module
    layers: list[nn.Module] = []
    for layer in module:
        if isinstance(layer, BatchNorm) and layers and isinstance(layers[-1], nn.Conv2d):
            _fold(layers[-1], layer)
        else:
            layers.append(_frozen(layer, size))
    return nn.Sequential(*layers)


def _fold(convolution: nn.Conv2d, norm: BatchNorm) -> None:
    """Let the convolution do what the normalisation behind it does."""
    factor, offset = _factor_and_offset(norm)
    weight = convolution.weight.double() * factor[:, None, None, None]
    if convolution.bias is not None:
        offset = offset + convolution.bias.double() * factor
    convolution.weight = nn.Parameter(weight.float())
    convolution.bias = nn.Parameter(offset.float())


def _factor_and_offset(norm: BatchNorm) -> tuple[Tensor, Tensor]:
    mean, variance = norm.running_mean, norm.running_var
    assert mean is not None and variance is not None
    factor = norm.weight.detach().double() / (variance.double() + norm.eps).sqrt()
    return factor, norm.bias.detach().double() - mean.double() * factor


class Combination(NamedTuple):
    """A method of ``results.combine`` in torch: probabilities to scores, the mean of scores to probabilities."""

    score: Callable[[Tensor], Tensor]
    finish: Callable[[Tensor], Tensor]


def _as_they_are(values: Tensor) -> Tensor:
    return values


def _logarithms(probabilities: Tensor) -> Tensor:
    return probabilities.clamp(min=SMALLEST).log()


def _softmax(scores: Tensor) -> Tensor:
    return scores.softmax(1)


def _votes(probabilities: Tensor) -> Tensor:
    votes = one_hot(probabilities.argmax(1), probabilities.shape[1])
    return votes.float() + probabilities * TIE_BREAK


def _share(scores: Tensor) -> Tensor:
    return scores / (1 + TIE_BREAK)


COMBINATIONS = {
    "mean": Combination(_as_they_are, _as_they_are),
    "logits": Combination(_logarithms, _softmax),
    "weighted": Combination(_as_they_are, _as_they_are),
    "greedy": Combination(_as_they_are, _as_they_are),
    "majority": Combination(_votes, _share),
}
"""The methods of ``results.combine``; a test holds the two against each other."""

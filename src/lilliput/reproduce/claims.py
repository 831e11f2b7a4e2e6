"""Every claim of the paper, in its order and in our words: what it says, its number, and how ours is computed.

J. Ting, "Using Convolutional Neural Network for the Tiny ImageNet Challenge". What is about other data sets, other
people's networks or the course it was written for stands here too, marked as not ours to test.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from inspect import getdoc

from lilliput.reproduce.evidence import ELSEWHERE, Answer, Evidence, Measure
from lilliput.reproduce.measures import causes, changes, data, networks, together


@dataclass(frozen=True)
class Claim:
    """One claim: where it stands, what it says, the paper's number as it prints it (empty without one), our measure."""

    id: str
    section: str
    sentence: str
    paper: str
    measure: Measure

    @property
    def how(self) -> str:
        """How ours is computed, in a sentence: what the measure says of itself."""
        return (getdoc(self._function) or "").partition("\n")[0]

    @property
    def is_check(self) -> bool:
        """Whether counting or reading answers it (data, definitions, arithmetic, recipes), not a trained network."""
        return self._function in _CHECKS

    @property
    def _function(self) -> Measure:
        return self.measure.func if isinstance(self.measure, partial) else self.measure


def elsewhere(why: str, evidence: Evidence) -> Answer:
    """Nothing is computed: it is about other data, other people or another time."""
    return Answer("", ELSEWHERE, note=why)


_CHECKS: frozenset[Callable[..., Answer]] = frozenset(
    (
        *(data.classes, data.images_per_class, data.boxes, data.picture_size, data.shrinking),
        *(networks.layers, networks.larger, networks.deepest),
        *(networks.recipe_says, networks.recipes_within, causes.two_classes),
        *(together.cross_validated, together.members, together.mean_rule, together.subsets),
    )
)

_OTHERS = "other people's work on other data, quoted by the paper"
_BUS, _SPOON = "school bus", "wooden spoon"
_M4_RECIPE: dict[str, object] = {
    "optimizer.l2": 0.001,
    "model.dropout": 0.5,
    "training.epochs": 150,
    "optimizer.learning_rate": 0.01,
    "schedule.factor": 0.85,
    "schedule.every_epochs": 10,
    "optimizer.momentum": 0.9,
}

# fmt: off
CLAIMS: tuple[Claim, ...] = (
    Claim("ilsvrc", "1.1", "ImageNet's challenge has 1000 classes, 1.2 million training and 150,000 other images.",
          "1000 classes", partial(elsewhere, "about the large data set")),
    Claim("classes", "1.1", "Tiny ImageNet has 200 classes.",
          "200", data.classes),
    Claim("train-images", "1.1", "Each class has 500 training images, 100,000 in all.",
          "500 (100,000)", partial(data.images_per_class, "train", 500)),
    Claim("val-images", "1.1", "Each class has 50 validation images, 10,000 in all.",
          "50 (10,000)", partial(data.images_per_class, "val", 50)),
    Claim("test-images", "1.1", "Each class has 50 test images, 10,000 in all, without labels.",
          "50 (10,000)", partial(data.images_per_class, "test", 50)),
    Claim("boxes", "1.1", "Training and validation images have bounding boxes, test images have none.",
          "", data.boxes),
    Claim("score", "1.1", "The score is the share of test images labelled right, as a server tells it.",
          "", data.scoring),
    Claim("best-ilsvrc", "1.2", "The best network on the large data set is wrong on 3.57 %.",
          "3.57 %", partial(elsewhere, _OTHERS)),
    Claim("originals", "1.2", "The originals are 482 x 418 pixels, their objects 17.0 % of the picture, on average.",
          "17.0 %", data.object_scale),
    Claim("pixels", "1.2", "Tiny ImageNet's pictures are 64 x 64 pixels.",
          "64 x 64", data.picture_size),
    Claim("shrunk", "1.2", "Making them square removes 13.3 % of the pixels; they are then shrunk by a factor of 6.5.",
          "13.3 %, 6.5", data.shrinking),
    Claim("hard-small", "1.2, Fig. 1", "Images whose object is small are hard to classify.",
          "", causes.small_objects),
    Claim("hard-cropped", "1.2, Fig. 1", "Images whose object is cropped out are hard to classify.",
          "", partial(causes.hard_cause, "cropped")),
    Claim("hard-background", "1.2, Fig. 1", "Images labelled after their background are hard to classify.",
          "", partial(causes.hard_cause, "background")),
    Claim("hard-different", "1.2, Fig. 1", "Images unlike the others of their class are hard to classify.",
          "", partial(causes.hard_cause, "unlike")),
    Claim("worse-than-ilsvrc", "1.2", "Networks on Tiny ImageNet do worse than the best on the large data set.",
          "3.57 % wrong", partial(networks.error_rate, 0.0357)),
    Claim("history", "2", "AlexNet has 60 million parameters; GoogLeNet errs on 6.7 %, ResNet on 3.57 %.",
          "", partial(elsewhere, _OTHERS)),
    Claim("resnet-cost", "2", "ResNet took two to three weeks on eight GPUs.",
          "2 to 3 weeks", partial(elsewhere, _OTHERS)),
    Claim("momentum", "3.2", "Momentum helps a network to converge.",
          "", partial(changes.loss_without, "ideas", "no momentum")),
    Claim("m1-shape", "4.1", "M1 is the simplest: three convolutions and one fully connected layer.",
          "3 convolutions", partial(networks.layers, "m1", 3)),
    Claim("m2-shape", "4.1", "M2 has four convolutions.",
          "4 convolutions", partial(networks.layers, "m2", 4)),
    Claim("m2-larger", "4.1", "M2 is larger than M1.",
          "", partial(networks.larger, "m2", "m1")),
    Claim("m3-shape", "4.1", "M3 is four layers deep.",
          "4 convolutions", partial(networks.layers, "m3", 4)),
    Claim("m3-larger", "4.1", "M3 is larger than M2.",
          "", partial(networks.larger, "m3", "m2")),
    Claim("m4-deepest", "4.1", "M4 is the deepest and has the most filters.",
          "", networks.deepest),
    Claim("m3-fast", "4.1", "M3 performs well and is relatively fast to train.",
          "", networks.speed),
    Claim("m1", "4.1, Table 1", "M1's accuracy.",
          "23.8 %", partial(networks.accuracy, "m1")),
    Claim("m2", "4.1, Table 1", "M2's accuracy.",
          "28.6 %", partial(networks.accuracy, "m2")),
    Claim("m3", "4.1, Table 1", "M3's accuracy.",
          "34.2 %", partial(networks.accuracy, "m3")),
    Claim("m4", "4.1, Table 1; 5.1; 7", "M4's accuracy.",
          "39.3 %", partial(networks.accuracy, "m4")),
    Claim("order", "4.1, Table 1", "Each network is better than the one before; M4 is the best.",
          "23.8 < 28.6 < 34.2 < 39.3 %", networks.order),
    Claim("leaky-relu", "4.2", "Leaky ReLU makes no noticeable difference to ReLU.",
          "negligible", partial(changes.negligible, "leaky ReLU")),
    Claim("tanh", "4.2", "tanh makes no noticeable difference to ReLU.",
          "negligible", partial(changes.negligible, "tanh")),
    Claim("standardising", "4.3", "Subtracting the mean and normalising improve the training.",
          "", partial(changes.loss_without, "ideas", "not standardised")),
    Claim("mirroring", "4.3", "Mirroring the training images improves test accuracy.",
          "", partial(changes.loss_without, "ideas", "not mirrored")),
    Claim("l2", "4.4", "L2 regularisation keeps a network from overfitting.",
          "", partial(changes.loss_without, "ideas", "no L2")),
    Claim("l2-range", "4.4", "The networks use lambda between 1e-5 and 1e-2.",
          "1e-5 to 1e-2", partial(networks.recipes_within, "optimizer.l2", 1e-5, 1e-2)),
    Claim("dropout", "4.4", "Dropout keeps a network from overfitting.",
          "", partial(changes.loss_without, "ideas", "no dropout")),
    Claim("dropout-range", "4.4", "All fully connected layers but the last have dropout between 0.4 and 0.6.",
          "0.4 to 0.6", partial(networks.recipes_within, "model.dropout", 0.4, 0.6)),
    Claim("m4-recipe", "5.1", "M4: lambda 1e-3, dropout 0.5, 150 epochs, rate 0.01 x 0.85 every 10, momentum 0.9.",
          "", partial(networks.recipe_says, "m4", _M4_RECIPE)),
    Claim("m4-loss", "5.1, Fig. 2", "M4's loss falls while it is trained.",
          "", partial(networks.learning, "loss")),
    Claim("m4-curve", "5.1, Fig. 3", "M4's accuracy rises while it is trained.",
          "", partial(networks.learning, "accuracy")),
    Claim("filters", "5.2, Fig. 4", "M4's first filters are smooth, with patterns: the network has converged.",
          "", networks.smooth_filters),
    Claim("noisy-filters", "5.2", "Noisy filters point to too weak a regularisation.",
          "", changes.noisy_filters),
    Claim("worst-class", "5.3", "The worst class is the wooden spoon.",
          "wooden spoon", partial(networks.extreme_class, False, _SPOON)),
    Claim("spoon", "5.3", "M4 labels 2 % of the wooden spoons right.",
          "2 %", partial(networks.class_accuracy, _SPOON, 0.02)),
    Claim("best-class", "5.3", "The best class is the school bus.",
          "school bus", partial(networks.extreme_class, True, _BUS)),
    Claim("bus", "5.3", "M4 labels 86 % of the school buses right.",
          "86 %", partial(networks.class_accuracy, _BUS, 0.86)),
    Claim("scale", "5.3", "Classes whose objects are larger in the picture are classified better.",
          "", partial(causes.correlation, "object_scale")),
    Claim("bus-scale", "5.3, Fig. 5", "School buses fill more of their pictures than wooden spoons do.",
          "", partial(causes.two_classes, "object_scale", _BUS, _SPOON)),
    Claim("spoon-scales", "5.3, Fig. 6", "Classes whose objects differ in size are classified worse.",
          "", partial(causes.correlation, "scale_spread", sign=-1)),
    Claim("colour", "5.3", "Classes whose pictures share their colours are classified better.",
          "", partial(causes.correlation, "colour_likeness")),
    Claim("bus-colour", "5.3, Fig. 5", "School buses are more alike in colour than wooden spoons are.",
          "", partial(causes.two_classes, "colour_likeness", _BUS, _SPOON)),
    Claim("shape", "5.3", "Classes whose objects share their shape are classified better.",
          "", partial(causes.correlation, "edge_likeness")),
    Claim("bus-shape", "5.3, Fig. 5, 6", "School buses are more alike in shape than wooden spoons are.",
          "", partial(causes.two_classes, "edge_likeness", _BUS, _SPOON)),
    Claim("size", "6, Fig. 7", "The more models in an ensemble, the better it is.",
          "monotone", together.grows_with_size),
    Claim("variety", "6", "An ensemble gains more when its models differ more.",
          "", together.variety_pays),
    Claim("folds", "6.1", "The hyper-parameters are found by cross-validation.",
          "", together.cross_validated),
    Claim("six", "6.1", "The six best sets of hyper-parameters for M3 are trained for 75 epochs.",
          "6 models, 75 epochs", together.members),
    Claim("formula", "6.1", "An ensemble's probability is the mean of its models' probabilities.",
          "", together.mean_rule),
    Claim("subsets", "6.2", "Six models form C(6, k) ensembles of k models.",
          "6 + 15 + 20 + 15 + 6 + 1 = 63", together.subsets),
    Claim("six-best", "6", "An ensemble improves on its models.",
          "", together.beats_its_best),
    Claim("ensemble", "6.2, 7", "The ensemble of all six.",
          "39.8 %", together.six_together),
    Claim("ensemble-m4", "6.2", "The ensemble of six is better than M4.",
          "+0.5 points", together.against_m4),
    Claim("rank", "7", "The ensemble was 7th on the course's scoreboard.",
          "7th", partial(elsewhere, "the scoreboard is gone")),
    Claim("tuning", "7", "Tuning the parameters of the models further can improve accuracy.",
          "", together.tuned),
    Claim("more-models", "7", "More models in the ensemble can improve accuracy.",
          "", together.more_members),
    Claim("deeper", "7", "A deeper network, like those of the large challenge, can improve accuracy.",
          "", changes.residual),
    Claim("hard-images", "7", "Leaving hard images out of the training can improve accuracy.",
          "", partial(changes.gain, "ideas", "without the hard ones")),
    Claim("jitter", "7", "Colour jitter can improve accuracy.",
          "", partial(changes.gain, "ideas", "colour jitter")),
    Claim("crops", "7", "Random cropping can improve accuracy.",
          "", partial(changes.gain, "ideas", "random crop")),
    Claim("box-crops", "7", "Cropping to the bounding boxes can improve accuracy.",
          "", partial(changes.gain, "ideas", "box crop")),
    Claim("recurrent", "7", "A recurrent network could make use of the bounding boxes.",
          "", partial(elsewhere, "named in passing; no recurrent network is part of this")),
)
# fmt: on

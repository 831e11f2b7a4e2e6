"""Keras 3 on the torch back end: image_dataset_from_directory, preprocessing layers, compile and fit."""

from __future__ import annotations

import os
import time

os.environ["KERAS_BACKEND"] = "torch"

import keras
from keras import layers

from task import (
    BATCH_IMAGES,
    CLASSES,
    DEVIATION,
    IMAGE_PIXELS,
    LEARNING_RATE,
    MEAN,
    MOMENTUM,
    Clock,
    Task,
    answer_seconds,
    read_task,
)


def make_dataset(task: Task):
    """Shuffled batches of the class folders; grain is what Keras reads with where there is no TensorFlow."""
    return keras.utils.image_dataset_from_directory(
        task.data,
        batch_size=BATCH_IMAGES,
        image_size=(IMAGE_PIXELS, IMAGE_PIXELS),
        seed=task.seed,
        format="grain",
        verbose=False,
    )


def preprocessing() -> list[layers.Layer]:
    """Mirrored every second time, then standardised: layers of the model, as Keras recommends."""
    variance = [deviation**2 for deviation in DEVIATION]
    return [
        layers.RandomFlip("horizontal"),
        layers.Rescaling(1 / 255),
        layers.Normalization(mean=MEAN, variance=variance),
    ]


def conv(filters: int, size: int) -> layers.Layer:
    """A convolution of the paper."""
    return layers.Conv2D(
        filters, size, padding="same", activation="relu", kernel_initializer="he_normal"
    )


def make_model(name: str) -> keras.Model:
    """M1 or M4 of the paper's Table 1, with the weights everyone begins with."""
    pool = layers.MaxPooling2D
    body = {
        "m1": lambda: [conv(16, 5), pool(), conv(16, 3), pool(), conv(32, 3), pool()],
        "m4": lambda: [
            *(conv(32, 5), conv(32, 5), pool()),
            *(conv(64, 3), conv(64, 3), pool()),
            *(conv(64, 3), conv(128, 3), pool()),
        ],
    }[name]()
    return keras.Sequential(
        [
            keras.Input((IMAGE_PIXELS, IMAGE_PIXELS, 3)),
            *preprocessing(),
            *body,
            layers.Flatten(),
            layers.Dense(256, activation="relu", kernel_initializer="he_normal"),
            layers.Dense(CLASSES, kernel_initializer="lecun_normal"),
        ]
    )


class Timer(keras.callbacks.Callback):
    """Tells the clock of every step. Keras gives the mean loss of the epoch so far."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock
        self.loss = 0.0

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """A step is done."""
        self.loss = (logs or {})["loss"]
        self.clock.step()


def train(task: Task) -> None:
    """Compile and fit."""
    model = make_model(task.network)
    model.compile(
        optimizer=keras.optimizers.SGD(LEARNING_RATE, momentum=MOMENTUM, nesterov=True),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    timer = Timer(Clock(task))
    model.fit(
        make_dataset(task),
        steps_per_epoch=task.warmup + task.steps,
        shuffle=False,  # the data set shuffles itself
        callbacks=[timer],
        verbose=0,
    )
    timer.clock.answer(loss=timer.loss)


def load(task: Task) -> None:
    """The data set and the preprocessing layers alone."""
    clock = Clock(task)
    prepare = keras.Sequential(preprocessing())
    for images, _ in make_dataset(task):
        prepare(images, training=True)
        if clock.step():
            break
    clock.answer()


def scan(task: Task) -> None:
    """What comes before the first batch."""
    started = time.perf_counter()
    make_dataset(task)
    answer_seconds(time.perf_counter() - started)


if __name__ == "__main__":
    task = read_task()
    keras.utils.set_random_seed(task.seed)
    {"train": train, "load": load, "scan": scan}[task.action](task)

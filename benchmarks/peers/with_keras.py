"""Keras 3 on the torch back end: a PyDataset, preprocessing layers, compile and fit.

A PyDataset is Keras's own way to read files where there is no TensorFlow. ``image_dataset_from_directory`` can do it
too, with grain, but reads fewer images a second.
"""

from __future__ import annotations

import math
import os
import time

os.environ["KERAS_BACKEND"] = "torch"

import keras
import numpy as np
from keras import layers
from keras.src.trainers.data_adapters.py_dataset_adapter import PyDatasetAdapter

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


class ClassFolders(keras.utils.PyDataset):
    """Shuffled batches of the class folders, each image mirrored every second time."""

    def __init__(self, task: Task) -> None:
        super().__init__(workers=task.workers)
        classes = sorted(os.listdir(task.data))
        listed = [sorted(os.listdir(task.data / one)) for one in classes]
        pairs = zip(classes, listed, strict=True)
        self.files = [f"{task.data}/{c}/{f}" for c, files in pairs for f in files]
        self.labels = np.repeat(np.arange(len(classes)), [len(files) for files in listed])
        self.random = np.random.default_rng(task.seed)
        self.order = self.random.permutation(len(self.files))

    def __len__(self) -> int:
        return math.ceil(len(self.files) / BATCH_IMAGES)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        chosen = self.order[index * BATCH_IMAGES : (index + 1) * BATCH_IMAGES]
        return np.stack([self.read(self.files[i]) for i in chosen]), self.labels[chosen]

    def read(self, file: str) -> np.ndarray:
        """One image float32[h,w,3] in 0..255."""
        image = keras.utils.img_to_array(keras.utils.load_img(file))
        return image[:, ::-1] if self.random.random() < 0.5 else image

    def on_epoch_end(self) -> None:
        """Another order for the next epoch."""
        self.random.shuffle(self.order)


def preprocessing() -> list[layers.Layer]:
    """Standardised by layers of the model, as Keras recommends."""
    variance = [deviation**2 for deviation in DEVIATION]
    return [layers.Rescaling(1 / 255), layers.Normalization(mean=MEAN, variance=variance)]


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
        ClassFolders(task),
        steps_per_epoch=task.warmup + task.steps,
        shuffle=False,  # the data set shuffles itself
        callbacks=[timer],
        verbose=0,
    )
    timer.clock.answer(loss=timer.loss)


def load(task: Task) -> None:
    """The data set, in what fit wraps it in, and the preprocessing layers alone."""
    clock = Clock(task)
    prepare = keras.Sequential(preprocessing())
    for images, _ in PyDatasetAdapter(ClassFolders(task), shuffle=False).get_torch_dataloader():
        prepare(images)
        if clock.step():
            break
    clock.answer()


def scan(task: Task) -> None:
    """What comes before the first batch."""
    started = time.perf_counter()
    ClassFolders(task)
    answer_seconds(time.perf_counter() - started)


if __name__ == "__main__":
    task = read_task()
    keras.utils.set_random_seed(task.seed)
    {"train": train, "load": load, "scan": scan}[task.action](task)

"""The tasks in Keras, in the child, on the backend that KERAS_BACKEND names."""

import time
from typing import Any

import keras
import numpy as np
from keras import layers

from tests.bench.tasks import EVALUATION_BATCH, TASKS, Task, arrays_path, shaped


def fit(task: str, epochs: int, seed: int, folder: str) -> dict[str, Any]:
    """`model.fit` on arrays, on the backend that the environment names; what is compiled is compiled."""
    chosen = TASKS[task]
    arrays = np.load(arrays_path(chosen, folder))
    x_train, x_val = (shaped(chosen, arrays[name], channels_last=True) for name in ("x_train", "x_val"))
    keras.utils.set_random_seed(seed)
    model = _network(chosen, x_train.shape[1:])
    assert model.count_params() == chosen.parameters, model.count_params()
    if chosen.optimizer == "sgd":
        optimizer = keras.optimizers.SGD(chosen.learning_rate)
    else:
        optimizer = keras.optimizers.Adam(chosen.learning_rate, epsilon=1e-8)
    if chosen.classes:
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(optimizer, loss, metrics=["accuracy"])
    else:
        model.compile(optimizer, "mse")

    class Clock(keras.callbacks.Callback):
        def __init__(self) -> None:
            super().__init__()
            self.seconds: list[float] = []

        def on_epoch_begin(self, *_: Any) -> None:
            self.started = time.perf_counter()

        def on_epoch_end(self, *_: Any) -> None:
            self.seconds.append(time.perf_counter() - self.started)

    clock = Clock()
    history = model.fit(
        x_train,
        arrays["y_train"],
        batch_size=chosen.batch_size,
        epochs=epochs,
        validation_data=(x_val, arrays["y_val"]),
        validation_batch_size=EVALUATION_BATCH,
        callbacks=[clock],
        verbose=0,
    )
    score = history.history["val_accuracy" if chosen.classes else "val_loss"][-1]
    return {"seconds": clock.seconds, "score": float(score)}


def _network(task: Task, shape: tuple[int, ...]) -> keras.Model:
    def uniform(fan_in: int) -> Any:
        """torch's own initial weights and biases: uniform within 1 / sqrt(fan_in)."""
        draws = [keras.initializers.RandomUniform(-(fan_in**-0.5), fan_in**-0.5) for _ in range(2)]
        return {"kernel_initializer": draws[0], "bias_initializer": draws[1]}

    inputs = outputs = keras.Input(shape)
    for layer in task.layers:
        match layer:
            case ("conv", filters, kernel, padding):
                drawn = uniform(kernel**2 * outputs.shape[-1])
                outputs = layers.Conv2D(filters, kernel, padding=padding, activation="relu", **drawn)(outputs)
            case ("avg_pool", size):
                outputs = layers.AveragePooling2D(size)(outputs)
            case ("dense", units):
                if len(outputs.shape) > 2:
                    outputs = layers.Flatten()(outputs)
                outputs = layers.Dense(units, activation="relu", **uniform(outputs.shape[-1]))(outputs)
    return keras.Model(inputs, layers.Dense(task.outputs, **uniform(outputs.shape[-1]))(outputs))

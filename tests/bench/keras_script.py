"""The job of `lossrun train` on MNIST as a Keras user writes it: python keras_script.py MNIST.npz EPOCHS"""

import sys

import keras
import numpy as np
from keras import layers

path, epochs = sys.argv[1], int(sys.argv[2])
with np.load(path) as mnist:
    x_train, y_train = mnist["x_train"].astype("float32") / 255, mnist["y_train"]
    x_test, y_test = mnist["x_test"].astype("float32") / 255, mnist["y_test"]
x_train, x_val = x_train[:-5000], x_train[-5000:]
y_train, y_val = y_train[:-5000], y_train[-5000:]

keras.utils.set_random_seed(0)
model = keras.Sequential(
    [
        keras.Input((28, 28)),
        layers.Flatten(),
        layers.Dense(300, activation="relu"),
        layers.Dense(100, activation="relu"),
        layers.Dense(10),
    ]
)
model.compile(
    optimizer=keras.optimizers.SGD(0.1),
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=["accuracy"],
)
model.summary()
model.fit(
    x_train,
    y_train,
    batch_size=128,
    epochs=epochs,
    validation_data=(x_val, y_val),
    callbacks=[keras.callbacks.ModelCheckpoint("checkpoint-{epoch:02d}.keras")],
    verbose=2,
)
loss, accuracy = model.evaluate(x_test, y_test, verbose=2)
print(f"test_accuracy {accuracy:.4f}")

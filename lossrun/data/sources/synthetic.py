"""Compute data with a known truth. Every draw has its own random stream, so more noise does not change the inputs."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from lossrun.catalog.declaration import Task
from lossrun.data.samples.dataset import Part, UnsplitData
from lossrun.data.samples.streams import DataStream, generator
from lossrun.data.tables.inputs import as_float32
from lossrun.errors import DataError

BLOCK: Final = 16_384  # samples


def synthetic_regression(parameters: Mapping[str, Any]) -> UnsplitData:
    """Make a known function plus noise: inputs (N, features), targets (N, 1). b, w, u, v: standard normal, by the seed.

    linear:     y = b + sum_j w_j x_j,                               x_j standard normal
    polynomial: y = b + sum_j (w_j x_j + u_j x_j^2 + v_j x_j^3),     x_j uniform on (-1, 1)
    sinusoid:   y = b + sum_j w_j sin(pi x_j),                       x_j uniform on (-1, 1)
    friedman1:  y = 10 sin(pi x_1 x_2) + 20 (x_3 - 1/2)^2 + 10 x_4 + 5 x_5,  x_j uniform on (0, 1); further inputs do
                nothing (Friedman 1991, "Multivariate adaptive regression splines")

    Raises DataError for friedman1 with fewer than 5 features.
    """
    check_regression(parameters)
    kind, samples, features, seed = (parameters[key] for key in ("kind", "samples", "features", "seed"))
    draw = generator(seed, DataStream.SYNTHETIC_INPUTS)
    truth = generator(seed, DataStream.SYNTHETIC_FUNCTION)
    bias = truth.standard_normal()
    weights = truth.standard_normal((3, features))
    inputs, y = np.empty((samples, features), np.float32), np.empty(samples)
    # Drawing in blocks gives the same numbers; all samples at once, in double precision, would triple the memory.
    for start in range(0, samples, BLOCK):
        shape = (min(BLOCK, samples - start), features)
        if kind == "linear":
            x = draw.standard_normal(shape)
        else:
            x = draw.uniform(0.0 if kind == "friedman1" else -1.0, 1.0, shape)
        inputs[start : start + BLOCK] = x
        y[start : start + BLOCK] = _regression_function(kind, x, bias, weights)
    y += _noise(parameters["noise"], samples, generator(seed, DataStream.SYNTHETIC_NOISE))
    return UnsplitData(
        task="regression",
        train=Part(inputs, as_float32(y[:, np.newaxis]), np.arange(samples)),
        target_size=1,
    )


def _regression_function(kind: str, x: np.ndarray, bias: float, weights: np.ndarray) -> np.ndarray:
    """Return the values of the function, (N,), without noise."""
    values: np.ndarray
    if kind == "linear":
        values = bias + x @ weights[0]
    elif kind == "polynomial":
        values = bias + x @ weights[0] + x**2 @ weights[1] + x**3 @ weights[2]
    elif kind == "sinusoid":
        values = bias + np.sin(np.pi * x) @ weights[0]
    else:
        values = 10 * np.sin(np.pi * x[:, 0] * x[:, 1]) + 20 * (x[:, 2] - 0.5) ** 2 + 10 * x[:, 3] + 5 * x[:, 4]
    return values


def check_regression(parameters: Mapping[str, Any]) -> None:
    if parameters["kind"] == "friedman1" and parameters["features"] < 5:
        raise DataError(
            f"dataset.features: {parameters['features']}, but friedman1 is a function of 5 features; set at least 5"
        )


def _noise(noise: Mapping[str, Any], samples: int, rng: np.random.Generator) -> np.ndarray:
    match noise["name"]:
        case "gaussian":
            return rng.normal(0.0, noise["std"], samples)
        case "laplace":
            return rng.laplace(0.0, noise["scale"], samples)
        case "student_t":
            return np.asarray(noise["scale"] * rng.standard_t(noise["df"], samples))
        case _:
            return np.zeros(samples)


def synthetic_classification(parameters: Mapping[str, Any]) -> UnsplitData:
    """Draw classes of a known shape, with the same number of samples each; normal noise is added to every input.

    With u uniform on (0, 1), t = pi u, class k of K:
    blobs:      a centre per class, uniform on (-1, 1) in each feature
    moons:      (cos t, sin t) and (1 - cos t, 1/2 - sin t)
    circles:    radius 1 and 1/2, at the angle 2 t
    spirals:    radius u at the angle 2 pi k/K + 3 t: one and a half turns
    xor:        uniform on (-1, 1)^2; class 0 where both have one sign, class 1 where the signs differ
    multilabel: standard normal inputs; label k is 1 where b_k + w_k . x > 0, with b and w standard normal

    Raises:
        DataError: For a number of classes, features or a task that the shape cannot have.
    """
    task, features, classes = classification_shape(parameters)
    kind, samples, seed = (parameters[key] for key in ("kind", "samples", "seed"))
    draw = generator(seed, DataStream.SYNTHETIC_INPUTS)
    truth = generator(seed, DataStream.SYNTHETIC_FUNCTION)
    labels = np.arange(samples) % classes
    if kind == "multilabel":
        x = draw.standard_normal((samples, features))
        weights, bias = truth.standard_normal((features, classes)), truth.standard_normal(classes)
        targets = (x @ weights + bias > 0).astype(np.float32)
    else:
        if kind == "blobs":
            x = truth.uniform(-1.0, 1.0, (classes, features))[labels]
        else:
            x = _plane_shape(kind, labels, classes, draw)
        targets = labels.astype(np.float32)[:, np.newaxis] if task == "binary" else labels.astype(np.int64)
    x = x + parameters["noise"] * generator(seed, DataStream.SYNTHETIC_NOISE).standard_normal(x.shape)
    return UnsplitData(
        task=task,
        train=Part(as_float32(x), targets, np.arange(samples)),
        target_size=1 if task == "binary" else classes,
        classes=tuple(str(k) for k in range(classes)),
    )


def classification_shape(parameters: Mapping[str, Any]) -> tuple[Task, int, int]:
    """Return (task, features, classes) of a synthetic classification. Raises DataError for impossible ones."""
    kind, asked = parameters["kind"], parameters["task"]
    classes = parameters["classes"] or (3 if kind in ("blobs", "spirals", "multilabel") else 2)
    features = parameters["features"] or (10 if kind == "multilabel" else 2)
    if kind in ("moons", "circles", "xor") and classes != 2:
        raise DataError(f"dataset.classes: {classes}, but {kind} has exactly 2; leave it out, or use blobs or spirals")
    if kind not in ("blobs", "multilabel") and features != 2:
        raise DataError(f"dataset.features: {features}, but {kind} always has 2; leave it out, or use blobs")
    if kind == "multilabel":
        if asked is not None:
            raise DataError(
                f"dataset.task: {asked}, but data of kind multilabel have the task multilabel; leave it out"
            )
        return "multilabel", features, classes
    if asked == "binary" and classes != 2:
        raise DataError(f"dataset.task: binary, but there are {classes} classes; add classes: 2, or leave task out")
    return asked or ("binary" if classes == 2 else "multiclass"), features, classes


def _plane_shape(kind: str, labels: np.ndarray, classes: int, draw: np.random.Generator) -> np.ndarray:
    """Return points, (N, 2), without noise."""
    u = draw.uniform(size=len(labels))
    t = np.pi * u
    match kind:
        case "moons":
            upper = np.stack([np.cos(t), np.sin(t)], axis=1)
            return np.where(labels[:, np.newaxis] == 0, upper, [1.0, 0.5] - upper)
        case "circles":
            return _polar(np.where(labels == 0, 1.0, 0.5), 2 * t)
        case "spirals":
            return _polar(u, 2 * np.pi * labels / classes + 3 * t)
        case _:
            sign = draw.choice([-1.0, 1.0], len(labels))
            return np.stack([sign * u, sign * np.where(labels == 0, 1, -1) * draw.uniform(size=len(labels))], axis=1)


def _polar(radius: np.ndarray, angle: np.ndarray) -> np.ndarray:
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)

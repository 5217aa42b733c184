"""Write the lines of `load_data` that compute synthetic datasets, with the same random numbers as lossrun."""

from collections.abc import Mapping
from typing import Any

from lossrun.data.samples.streams import DataStream
from lossrun.data.sources.synthetic import classification_shape
from lossrun.script.lines.text import comment, literal

Lines = list[str]


def stream(seed: int, purpose: int) -> str:
    """Return the generator that lossrun uses for this purpose; each purpose has its own random numbers."""
    return f"np.random.default_rng([{seed}, {int(purpose)}])"


def synthetic_regression(parameters: Mapping[str, Any]) -> Lines:
    kind, samples, features, seed = (parameters[key] for key in ("kind", "samples", "features", "seed"))
    size = f"({samples}, {features})"
    drawn = {"linear": f"standard_normal({size})", "friedman1": f"uniform(0, 1, {size})"}
    lines = [
        *comment("Seed and purpose: lossrun has a separate random stream for each purpose."),
        f"inputs = {stream(seed, DataStream.SYNTHETIC_INPUTS)}",
        f"x = inputs.{drawn.get(kind, f'uniform(-1, 1, {size})')}",
    ]
    if kind == "friedman1":
        lines += [
            "y = 10 * np.sin(np.pi * x[:, 0] * x[:, 1]) + 20 * (x[:, 2] - 0.5) ** 2",
            "y += 10 * x[:, 3] + 5 * x[:, 4]",
        ]
    else:
        formula = {
            "linear": "x @ weights[0]",
            "polynomial": "x @ weights[0] + x**2 @ weights[1] + x**3 @ weights[2]",
            "sinusoid": "np.sin(np.pi * x) @ weights[0]",
        }[kind]
        lines += [
            f"truth = {stream(seed, DataStream.SYNTHETIC_FUNCTION)}",
            f"bias, weights = truth.standard_normal(), truth.standard_normal((3, {features}))",
            f"y = bias + {formula}",
        ]
    noise = parameters["noise"]
    shape = {
        "gaussian": lambda: f"noise.normal(0, {literal(noise['std'])}, {samples})",
        "laplace": lambda: f"noise.laplace(0, {literal(noise['scale'])}, {samples})",
        "student_t": lambda: f"{literal(noise['scale'])} * noise.standard_t({literal(noise['df'])}, {samples})",
    }.get(noise["name"])
    if shape:
        lines += [f"noise = {stream(seed, DataStream.SYNTHETIC_NOISE)}", f"y += {shape()}"]
    return [*lines, "x, y = x.astype(np.float32), y[:, None].astype(np.float32)"]


def synthetic_classification(parameters: Mapping[str, Any]) -> Lines:
    task, features, classes = classification_shape(parameters)
    kind, samples, seed = (parameters[key] for key in ("kind", "samples", "seed"))
    inputs, truth = stream(seed, DataStream.SYNTHETIC_INPUTS), stream(seed, DataStream.SYNTHETIC_FUNCTION)
    lines = comment("Seed and purpose: lossrun has a separate random stream for each purpose.")
    if kind == "multilabel":
        lines += [
            f"x = {inputs}.standard_normal(({samples}, {features}))",
            f"truth = {truth}",
            f"weights = truth.standard_normal(({features}, {classes}))",
            f"y = x @ weights + truth.standard_normal({classes}) > 0",
        ]
    else:
        lines += [f"y = np.arange({samples}) % {classes}", *_shape(kind, features, classes, samples, inputs, truth)]
    lines += [
        f"noise = {stream(seed, DataStream.SYNTHETIC_NOISE)}.standard_normal(x.shape)",
        f"x = (x + {literal(parameters['noise'])} * noise).astype(np.float32)",
    ]
    if task == "multilabel":
        return [*lines, "y = y.astype(np.float32)"]
    return [*lines, "y = y[:, None].astype(np.float32)"] if task == "binary" else lines


def _shape(kind: str, features: int, classes: int, samples: int, inputs: str, truth: str) -> Lines:
    """Return the lines for the points x of the classes y, without noise."""
    if kind == "blobs":
        return [f"centres = {truth}.uniform(-1, 1, ({classes}, {features}))", "x = centres[y]"]
    if kind == "xor":
        return [
            f"draw = {inputs}",
            f"u, sign = draw.uniform(size={samples}), draw.choice([-1.0, 1.0], {samples})",
            f"v = np.where(y == 0, 1, -1) * draw.uniform(size={samples})",
            "x = np.stack([sign * u, sign * v], axis=1)",
        ]
    lines = [f"u = {inputs}.uniform(size={samples})"]
    if kind == "moons":
        return [
            *lines,
            "upper = np.stack([np.cos(np.pi * u), np.sin(np.pi * u)], axis=1)",
            "x = np.where(y[:, None] == 0, upper, [1.0, 0.5] - upper)",
        ]
    if kind == "circles":
        lines += ["radius, angle = np.where(y == 0, 1.0, 0.5), 2 * np.pi * u"]
    else:
        lines += [f"radius, angle = u, 2 * np.pi * y / {classes} + 3 * np.pi * u"]
    return [*lines, "x = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)"]

"""From a spelling to a component: canonical names, aliases with their conventions, near misses."""

import re
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

from lossrun.catalog.activations import ACTIVATIONS
from lossrun.catalog.alias import Alias
from lossrun.catalog.datasets import DATASETS, NOISES
from lossrun.catalog.declaration import Component
from lossrun.catalog.initializers import INITIALIZERS
from lossrun.catalog.losses import LOSSES
from lossrun.catalog.metrics import METRICS
from lossrun.catalog.models import LAYERS, MODELS
from lossrun.catalog.optimizers import OPTIMIZERS
from lossrun.catalog.schedules import SCHEDULES
from lossrun.catalog.unsupported import A_METRIC, MEANT, NONE_OF_OURS
from lossrun.nearby import nearest

COMPONENTS: Final[dict[str, tuple[Component, ...]]] = {
    "loss": LOSSES,
    "optimizer": OPTIMIZERS,
    "model": MODELS,
    "dataset": DATASETS,
    "schedule": SCHEDULES,
    "metric": METRICS,
    "activation": ACTIVATIONS,
    "initializer": INITIALIZERS,
    "layer": LAYERS,
    "noise": NOISES,
}
PLUGIN_KINDS: Final = ("loss", "optimizer", "model", "dataset")

_FRAMEWORK: Final = re.compile(
    r"(?P<framework>keras|tf|tensorflow|torch|pytorch|nn|optim|F)\.(?:[a-z0-9_.]*\.)?(?P<rest>[^.]+)", re.IGNORECASE
)
# For each prefix, the frameworks whose spelling to try, in order. TensorFlow 2 has Keras' classes under its own name.
_FRAMEWORKS: Final[dict[str, tuple[str, ...]]] = {
    "keras": ("keras",),
    **dict.fromkeys(("tf", "tensorflow"), ("tf", "keras")),
    **dict.fromkeys(("torch", "pytorch", "nn", "optim", "f"), ("torch",)),
}


@dataclass(frozen=True, slots=True)
class LookupResult:
    """A component that a spelling means, with what the spelling adds.

    Attributes:
        implies: Parameters that the spelling sets (`BCEWithLogitsLoss`: inputs are logits).
        remark, called: As in `Alias`.
    """

    component: Component
    implies: dict[str, Any]
    remark: str = ""
    called: dict[str, Any] = field(default_factory=dict)


def find(kind: str, spelling: str) -> LookupResult | None:
    """Return the component that `spelling` means; None if there is none.

    Case, underscores and a framework's prefix do not matter, except if a framework's name and one of ours have the same
    letters: `KLDivergence` and `binary_crossentropy` are Keras' names, `kl_divergence` and `binary_cross_entropy` ours.
    """
    if (namesake := _namesake(kind, spelling)) is not None:
        return namesake
    names = _spellings(kind)
    match = _FRAMEWORK.fullmatch(spelling)
    if not match:
        return names.get(folded(spelling))
    rest = folded(match["rest"])
    # tf.keras.losses.X and tf.initializers.X are Keras; tf.train.X and tf.random.X are TensorFlow's own.
    of_keras = "keras." in spelling.lower() or "initializers." in spelling.lower()
    framework = "keras" if of_keras else match["framework"].lower()
    spellings = [*(f"{framework}.{rest}" for framework in _FRAMEWORKS[framework]), rest]
    return next((names[spelling] for spelling in spellings if spelling in names), None)


def get(kind: str, name: str) -> Component:
    """Return the component with this canonical name; KeyError if there is none."""
    for component in COMPONENTS[kind]:
        if component.name == name:
            return component
    raise KeyError(f"{kind} {name}")


def why_not(kind: str, spelling: str) -> str | None:
    """Return why lossrun has no component of a name known from elsewhere, such as "it is a metric: ...", or None.

    Case, underscores and a framework's prefix do not matter.
    """
    return _reasons(kind).get(folded(spelling.rpartition(".")[2]))


def nearest_name(kind: str, spelling: str) -> str | None:
    """Return the canonical name that an informal word usually means, or that has the spelling nearest to `spelling`."""
    if meant := _meant(kind).get(folded(spelling)):
        return meant
    spellings = _spellings(kind)
    match = _FRAMEWORK.fullmatch(spelling)
    close = nearest(folded(match["rest"] if match else spelling), list(spellings))
    return spellings[close].component.name if close else None


@cache
def _reasons(kind: str) -> dict[str, str]:
    metrics = dict.fromkeys(_spellings("metric"), A_METRIC) if kind == "loss" else {}
    return metrics | {folded(name): reason for name, reason in NONE_OF_OURS.get(kind, {}).items()}


@cache
def _meant(kind: str) -> dict[str, str]:
    return {folded(word): name for word, name in MEANT.get(kind, {}).items()}


@cache
def _spellings(kind: str) -> dict[str, LookupResult]:
    table: dict[str, LookupResult] = {}
    for component in COMPONENTS[kind]:
        for alias in component.aliases:
            framework, _, rest = alias.spelling.rpartition(".")
            key = f"{framework}.{folded(rest)}" if framework else folded(rest)
            table[key] = _found(component, alias)
    # Canonical names last: no alias may hide one.
    table.update({folded(component.name): LookupResult(component, {}) for component in COMPONENTS[kind]})
    return table


def _namesake(kind: str, spelling: str) -> LookupResult | None:
    """Return what a framework's name means that differs from one of ours only in case and underscores, or None.

    Such a name is taken as the framework's if it is written exactly as the framework does, or not exactly as ours.
    """
    if spelling in (written := _namesakes(kind)):
        return written[spelling]
    if re.sub(r"[\s\-]", "_", spelling).lower() in {component.name for component in COMPONENTS[kind]}:
        return None
    return next((found for name, found in written.items() if folded(name) == folded(spelling)), None)


@cache
def _namesakes(kind: str) -> dict[str, LookupResult]:
    """Return those names of frameworks, as the frameworks write them, with their components."""
    ours = {folded(component.name): component.name for component in COMPONENTS[kind]}
    return {
        alias.spelling: _found(component, alias)
        for component in COMPONENTS[kind]
        for alias in component.aliases
        if alias.spelling != ours.get(folded(alias.spelling), alias.spelling)
    }


def _found(component: Component, alias: Alias) -> LookupResult:
    return LookupResult(component, alias.implies, alias.remark, alias.called)


def folded(spelling: str) -> str:
    """Return a spelling without what does not matter: case, blanks, underscores and dashes."""
    return re.sub(r"[\s_\-]", "", spelling).lower()

"""Find the topic of a name in `lossrun explain`: a component, a rule, a diagnosis, a column, or a key of the config."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from lossrun.catalog.columns import COLUMNS, PARTS, HistoryColumn
from lossrun.catalog.declaration import Component
from lossrun.catalog.diagnoses import DIAGNOSES, Diagnosis
from lossrun.catalog.lookup import COMPONENTS, find, folded, why_not
from lossrun.catalog.parameter import with_article
from lossrun.config.habits import ANSWERS
from lossrun.config.key_paths import KeyPath, file_keys
from lossrun.config.keys import KEYS, SWEEP, SWEEP_OPTIONS
from lossrun.errors import UsageError
from lossrun.lint.rule import Rule
from lossrun.lint.rules import RULES
from lossrun.nearby import nearest
from lossrun.report.reference.listing import plural
from lossrun.shell import command

_NAMED: Final[Mapping[str, Mapping[str, Rule | Diagnosis | HistoryColumn]]] = {
    "rule": RULES,
    "diagnosis": DIAGNOSES,
    "column": COLUMNS,
}
KINDS: Final = (*COMPONENTS, *_NAMED, "key")


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic.

    Attributes:
        spelling: The name that was asked for.
        implies, remark, called: What this spelling adds, as in `catalog.declaration.Alias`.
    """

    kind: str
    name: str
    subject: Component | Rule | Diagnosis | HistoryColumn | KeyPath
    spelling: str
    implies: Mapping[str, Any] = field(default_factory=dict)
    remark: str = ""
    called: Mapping[str, Any] = field(default_factory=dict)


def topics(spelling: str, kind: str | None = None) -> list[Topic]:
    """Return everything with this name, in any known spelling; topics with this name come before other spellings.

    Raises:
        UsageError: For an unknown kind, or if nothing has this name.
    """
    wanted = kind and _singular(kind)
    if wanted and wanted not in KINDS:
        raise UsageError(f"--kind {kind}: there is no such kind; expected one of {', '.join(KINDS)}")
    every = _named(spelling)
    found = [topic for topic in every if wanted in (None, topic.kind)]
    if found:
        return sorted(found, key=lambda topic: folded(topic.name) != folded(spelling))
    if every:
        kinds = " and ".join(with_article(topic.kind) for topic in every)
        raise UsageError(f"there is no {wanted} called {spelling}; it is {kinds}: leave out --kind")
    raise UsageError(_unknown(spelling, wanted))


def _named(spelling: str) -> list[Topic]:
    found = [
        Topic(kind, hit.component.name, hit.component, spelling, hit.implies, hit.remark, hit.called)
        for kind in COMPONENTS
        if (hit := find(kind, spelling)) is not None
    ]
    found += [
        Topic(kind, name, subject, spelling)
        for kind, subjects in _NAMED.items()
        for name, subject in subjects.items()
        if folded(spelling) in map(folded, (name, *(subject.also if isinstance(subject, Diagnosis) else ())))
    ]
    found = found or _of_a_part(spelling)
    return [*found, *(Topic("key", key.path, key, spelling) for key in _keys(spelling, others=bool(found)))]


def _of_a_part(spelling: str) -> list[Topic]:
    """Return the metric or loss whose values a column such as val_rmse holds."""
    part = next((part for part in PARTS if spelling.startswith(part)), "")
    hits = [(kind, find(kind, spelling.removeprefix(part))) for kind in ("metric", "loss") if part]
    return [
        Topic(kind, hit.component.name, hit.component, spelling, remark=f"It is computed {PARTS[part]}")
        for kind, hit in hits
        if hit is not None
    ]


def _keys(spelling: str, *, others: bool) -> list[KeyPath]:
    """Return the key with this path; otherwise keys with this alias; otherwise keys whose last part it is.

    The last step is left out if the name means something else (`others`).
    """
    every = file_keys()
    asked = folded(spelling)
    if exactly := [key for path, key in every.items() if folded(path) == asked]:
        return exactly
    if also := [key for key in every.values() if any(folded(one) == asked for one in key.spellings)]:
        return also
    ending = [key for path, key in every.items() if folded(path.rpartition(".")[2]) == asked]
    inside = [f"{SWEEP.name}.{option}" for option in SWEEP_OPTIONS] + ([] if ending else [*SWEEP_OPTIONS])
    if asked in map(folded, inside):
        ending = [every[SWEEP.name]]
    return [] if others else ending


def _unknown(spelling: str, kind: str | None) -> str:
    called = f"there is no {kind}" if kind else "there is nothing"
    if kind in (None, "key") and (answer := ANSWERS.get(spelling.lower())):
        return f"there is no key {spelling}: {answer}"
    for home in (kind,) if kind else COMPONENTS:
        if reason := why_not(home, spelling):
            return f"there is no {home} called {spelling} in lossrun: {reason}"
    homes = {name: home for home in reversed(KINDS) for name in _spellings(home) if kind in (None, home)}
    near = nearest(spelling.rpartition(".")[2], list(homes)) or nearest(spelling, list(homes))
    if near:
        home = homes[near]
        canonical = hit.component.name if home in COMPONENTS and (hit := find(home, near)) else near
        if home == "diagnosis":
            canonical = _named(near)[0].name
        if home == "key":
            canonical = next(key.path for key in file_keys().values() if near in (key.path, *key.spellings))
        known = "" if canonical == near else f", another name of {canonical}"
        return f"{called} called {spelling}; did you mean {near}{known} ({with_article(home)})?"
    keys = ", ".join(key.name for key in KEYS)
    lists = ", ".join(command("list", plural(each)) for each in list(COMPONENTS)[:6])
    return f"{called} called {spelling}; see {lists}; rules: {', '.join(RULES)}; keys: {keys}"


def _spellings(kind: str) -> list[str]:
    if kind in ("rule", "column"):
        return list(_NAMED[kind])
    if kind == "diagnosis":
        return [one for name, diagnosis in DIAGNOSES.items() for one in (name, *diagnosis.also)]
    if kind == "key":
        return [one for key in file_keys().values() for one in (key.path, *key.spellings)]
    return [
        name for component in COMPONENTS[kind] for name in (component.name, *(a.spelling for a in component.aliases))
    ]


def _singular(kind: str) -> str:
    """Return the singular of a kind, because `lossrun list` uses the plural."""
    return {plural(each): each for each in KINDS}.get(kind, kind)

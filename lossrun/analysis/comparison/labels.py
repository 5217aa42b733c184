"""Choose labels for runs: what distinguishes them, or what the user calls them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from lossrun.analysis.comparison.differences import Difference, letters
from lossrun.errors import UsageError
from lossrun.records.names import bare_name
from lossrun.records.recorded import RecordedRun

# The keys that say most about a run. Keys that are in neither list come between the two.
_FIRST: Final = ("loss", "optimizer", "learning_rate", "model", "schedule", "batch_size", "epochs", "early_stopping")
# Keys that follow from the loss, are shown elsewhere, or change no result; a path says least.
_LAST: Final = ("best", "compare_on", "seed", "seeds", "model.output", "loss.inputs", "checkpoint", "lint", "device",
                "step", "dataset.path")  # fmt: skip
_SHORT_KEYS: Final = {"learning_rate": "lr"}
_LONGEST: Final = 60  # characters
_MOST_PARTS: Final = 3


def labels(runs: Sequence[RecordedRun], differences: Sequence[Difference]) -> tuple[str, ...]:
    """Return a label for each run, made of the keys that differ (`loss=mae`).

    A label has at most three keys, the most important ones first. Runs that no key distinguishes get their names
    without the time. If these are the same too, they get `run 1`, `run 2`: the time of a run says nothing about it.
    """
    chosen = _chosen(differences, len(runs))
    texts = [_text(chosen, index) for index in range(len(runs))]
    if len(set(texts)) == len(runs) and all(texts):
        return tuple(texts)
    names = [str(run.config.get("name") or bare_name(run.path.resolve())) for run in runs]
    both = [", ".join(filter(None, pair)) for pair in zip(texts, names, strict=True)]
    if len(set(names)) == len(runs) and not any(texts):
        return tuple(names)
    if len(set(both)) == len(runs):
        # Add the name only to labels that need it.
        return tuple(both[i] if texts.count(text) > 1 else text for i, text in enumerate(texts))
    numbered = []
    for index, text in enumerate(texts):
        number = texts[: index + 1].count(text)
        numbered.append(", ".join(filter(None, (text, f"run {number}"))) if texts.count(text) > 1 else text)
    return tuple(numbered)


def named_by_user(
    given: Sequence[str], runs: Sequence[Sequence[RecordedRun]], found: Sequence[str], specs: Mapping[str, Path]
) -> tuple[str, ...]:
    """Return the labels `found`, replaced where the user chose others with `--label`.

    Args:
        given: `A=TEXT` by a run's letter, `RUN=TEXT` by its name, or `TEXT` for the first run without a label.
        runs: The recorded runs that each label stands for.
        found: The labels to use otherwise.
        specs: {what a run was called on the command line: its directory}.

    Raises:
        UsageError: For too many labels, an empty one, the same one twice, or a run that does not exist.
    """
    places = _places(runs, specs)
    by_place: dict[int, str] = {}
    positional: list[str] = []
    for text in given:
        name, equals, label = text.partition("=")
        if equals and name in places:
            if places[name] in by_place:
                raise UsageError(f"--label {text}: this run already has the label {by_place[places[name]]}")
            by_place[places[name]] = label
        elif equals and name in letters(52):
            raise UsageError(f"--label {text}: there is no run {name}; the runs are {', '.join(letters(len(runs)))}")
        else:
            positional.append(text)
    free = [place for place in range(len(runs)) if place not in by_place]
    if len(positional) > len(free):
        raise UsageError(
            f"--label {positional[len(free)]}: there are only {len(runs)} runs, and each already has a label"
        )
    by_place |= dict(zip(free, positional, strict=False))
    labelled = tuple(by_place.get(place, label) for place, label in enumerate(found))
    for label in by_place.values():
        if not label.strip() or not label.isprintable():
            raise UsageError(f"--label {label!r}: expected a few words, without line breaks")
        if labelled.count(label) > 1:
            raise UsageError(f"--label {label}: two runs would have this label; give each run a different one")
    return labelled


def _places(runs: Sequence[Sequence[RecordedRun]], specs: Mapping[str, Path]) -> dict[str, int]:
    """Return the place of the label that each name of a run means: its letter, its names, and what the user typed."""
    places: dict[str, int] = dict(zip(letters(len(runs)), range(len(runs)), strict=True))
    for place, members in enumerate(runs):
        for run in members:
            typed = {spec for spec, path in specs.items() if path.resolve() == run.path.resolve()}
            for name in (run.name, bare_name(run.path.resolve()), str(run.path), *typed):
                places.setdefault(name, place)
    return places


def _chosen(differences: Sequence[Difference], runs: int) -> list[Difference]:
    """Return the smallest set of keys that distinguishes the most runs, the most important keys first.

    Further keys are added while the labels stay short.
    """
    ranked = sorted(differences, key=lambda difference: _rank(difference.key))
    primary = [difference for difference in ranked if _rank(difference.key) <= len(_FIRST)]
    chosen: list[Difference] = []
    for candidates in (primary, ranked):
        for one in candidates:
            if one not in chosen and _distinct([*chosen, one], runs) > _distinct(chosen, runs):
                if len(chosen) == _MOST_PARTS:
                    break
                chosen.append(one)
    for one in primary:
        if one not in chosen and len(chosen) < _MOST_PARTS:
            both = sorted([*chosen, one], key=lambda difference: _rank(difference.key))
            if max(len(_text(both, index)) for index in range(runs)) <= _LONGEST:
                chosen = both
    return sorted(chosen, key=lambda difference: _rank(difference.key))


def _distinct(chosen: Sequence[Difference], runs: int) -> int:
    return len({_text(chosen, index) for index in range(runs)})


def _rank(key: str) -> int:
    """Return the place of a key in the order of importance; keys of a component have the component's place."""
    for place, last in enumerate(_LAST):
        if key == last or key.startswith(f"{last}."):
            return len(_FIRST) + 1 + place
    top = key.partition(".")[0]
    return _FIRST.index(top) if top in _FIRST else len(_FIRST)


def _text(chosen: Sequence[Difference], index: int) -> str:
    return ", ".join(f"{_SHORT_KEYS.get(one.key, one.key)}={_value(one, index)}" for one in chosen)


def _value(difference: Difference, index: int) -> str:
    """Return the value in short: a component's name or a path's file, if this still distinguishes the runs."""
    values = difference.values
    files = tuple(value.replace("\\", "/").rpartition("/")[2] for value in values)
    for shorter in (difference.names, *([files] if difference.key.endswith("path") else [])):
        if len(set(shorter)) == len(set(values)):
            values = shorter
    return values[index]

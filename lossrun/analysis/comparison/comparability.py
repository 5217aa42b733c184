"""Decide which values of several runs mean the same, and note what limits their comparison."""

from collections.abc import Sequence
from itertools import combinations
from typing import Final

from lossrun.analysis.comparison.differences import Difference, component_text
from lossrun.analysis.values import readings
from lossrun.analysis.values.splits import Splits, mixed, splits
from lossrun.catalog.metrics import PRIMARY_METRICS
from lossrun.records.provenance.source_code import recorded_source
from lossrun.records.recorded import RecordedRun

# Facts of run.json, besides the config, that a result may depend on, and what to call them.
_ENVIRONMENT: Final = {
    "lossrun": "lossrun",
    "torch": "torch",
    "device": "device",
    "threads": "threads",
    "git_commit": "git commit",
}
_COMPONENTS: Final = ("dataset", "model", "loss", "optimizer")

# Columns of the configured loss: their meaning depends on the run.
_LOSS_COLUMNS: Final = ("train_loss", "val_loss", "test_loss")


def reasons(runs: Sequence[RecordedRun], names: Sequence[str]) -> tuple[str, ...]:
    """Return why the metrics of these runs must not be subtracted from each other.

    Args:
        names: What to call each run in the sentences.

    Returns:
        One sentence for each reason; empty where the runs are comparable.
    """
    tasks = [readings.task(run) for run in runs]
    found = []
    if len(set(tasks)) > 1:
        listed = ", ".join(f"{name}: {task or 'unknown'}" for name, task in zip(names, tasks, strict=True))
        found.append(f"the runs have different tasks ({listed}), so their metrics measure different things")
    known = [splits(run) for run in runs]
    if mixed(known):
        own = [name for name, one in zip(names, known, strict=True) if one.own]
        one = [name for name, one in zip(names, known, strict=True) if not one.own]
        found.append(
            f"{_together(own)} {'has' if len(own) == 1 else 'have'} several splits and {_together(one)} "
            f"{'uses' if len(one) == 1 else 'use'} one split for all seeds, so the values were not measured on the "
            "same samples: train all runs with the same splits, folds and dataset.split_seed"
        )
        return tuple(found)
    parts = [part for part in ("validation", "test") if not _same(known, part)]
    if parts and all(one.own for one in known):
        found.append(
            f"the splits differ: the same seed has different {_together(parts)} data in different runs, so the values "
            "were not measured on the same samples; train all runs with the same splits, folds, seeds and "
            "dataset.split_seed"
        )
    else:
        for part in parts:
            found.append(f"the {part} data differ, so the values were not measured on the same samples")
    if len({_ignored(run) for run in runs}) > 1:
        listed = ", ".join(f"{name}: {_ignored(run) or 'no label'}" for name, run in zip(names, runs, strict=True))
        found.append(f"the runs ignore different labels ({listed}), so they were not scored on the same samples")
    return tuple(found)


def _ignored(run: RecordedRun) -> str:
    """Return the label whose samples are not scored, or "" if every sample is scored."""
    loss = run.config["loss"]
    label = None if ":" in loss["name"] else loss.get("ignore_index")
    # -100 is torch's default; no data have samples with this label.
    return "" if label is None or label == -100 else str(label)


def _same(runs: Sequence[Splits], part: str) -> bool:
    """Return whether a part of the data is the same in all runs, seed by seed."""
    return all(one.same(other, part) for one, other in combinations(runs, 2))


def training_data(runs: Sequence[RecordedRun]) -> list[Difference]:
    """Return the difference between the training data, shown as the first digits of their hashes.

    The list is empty where all runs have the same training data.
    """
    known = [splits(run) for run in runs]
    digests = [next(iter(one.digests.get("train", {}).values()), None) for one in known]
    if _same(known, "train") and len({digest is None for digest in digests}) == 1:
        return []
    shown = tuple(
        "different for each seed" if one.own and len(run.seeds) > 1 else digest[:12] if digest else "-"
        for one, run, digest in zip(known, runs, digests, strict=True)
    )
    return [Difference("training data (SHA-256)", shown, shown)]


def environment_warnings(runs: Sequence[RecordedRun], names: Sequence[str]) -> tuple[str, ...]:
    """Return one sentence for each fact of the environment that differs between the runs."""
    found = []
    for key, what in _ENVIRONMENT.items():
        values = [run.environment.get(key) for run in runs]
        if len(set(values)) > 1:
            listed = ", ".join(f"{value or 'unknown'} ({name})" for name, value in zip(names, values, strict=True))
            found.append(f"{what} differs: {listed}")
    return (*found, *_source_warnings(runs, names))


def _source_warnings(runs: Sequence[RecordedRun], names: Sequence[str]) -> list[str]:
    """Return notes about the source code of the user's own components that several runs share."""
    # Components that share a file share a sentence: {end of the sentence: the components}.
    endings: dict[str, list[str]] = {}
    for component in sorted({run.config[kind]["name"] for run in runs for kind in _COMPONENTS}):
        users = [index for index, run in enumerate(runs) if _uses(run, component)]
        if ":" not in component or len(users) < 2:
            continue
        for module, digests in _differing_sources([runs[index] for index in users], component).items():
            listed = ", ".join(f"{names[index]}: {digest}" for index, digest in zip(users, digests, strict=True))
            endings.setdefault(f"different source code of {module} ({listed})", []).append(component)
        unknown = [names[index] for index in users if not _sources(runs[index], component)]
        if unknown:
            endings.setdefault(f"source code that {', '.join(unknown)} did not record", []).append(component)
    return [f"{_together(components)} ran with {ending}" for ending, components in endings.items()]


def _together(words: Sequence[str]) -> str:
    """Join words into a phrase: `a, b and c`."""
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def _differing_sources(runs: Sequence[RecordedRun], component: str) -> dict[str, list[str]]:
    """Return the modules of a component whose source code differs between the runs.

    A run that was resumed with changed source code has several digests. Runs that recorded none are not compared.

    Returns:
        {module: its digest in each run, or "unknown"}.
    """
    sources = [_sources(run, component) for run in runs]
    found: dict[str, list[str]] = {}
    for module in sorted({name for source in sources for name in source}):
        digests = [" then ".join(source.get(module, ())) for source in sources]
        if len({digest for digest in digests if digest}) > 1:
            found[module] = [digest or "unknown" for digest in digests]
    return found


def _sources(run: RecordedRun, component: str) -> dict[str, list[str]]:
    """Return the digests of a component's module and of the modules that it imports.

    Returns:
        {module: its digests, in the order in which the run used them}; {} if none were recorded.
    """
    parts = [run.environment, *(event["environment"] for event in run.ledger if "environment" in event)]
    found: dict[str, list[str]] = {}
    for part in parts:
        for module, digest in recorded_source(part.get("code"), component.partition(":")[0]).items():
            digests = found.setdefault(module, [])
            if digests[-1:] != [digest]:
                digests.append(digest)
    return found


def _uses(run: RecordedRun, component: str) -> bool:
    return any(run.config[kind]["name"] == component for kind in _COMPONENTS)


def loss_columns(runs: Sequence[RecordedRun]) -> tuple[dict[str, bool], tuple[str, ...]]:
    """Return which columns of the configured loss have one meaning in all runs.

    Returns:
        {column: whether it has one meaning}, and a sentence for why some do not.
    """
    # `inputs` only says in which form the loss receives the outputs.
    losses = [{key: value for key, value in run.config["loss"].items() if key != "inputs"} for run in runs]
    if any(loss != losses[0] for loss in losses):
        distinct = list(dict.fromkeys(component_text("loss", loss) for loss in losses))
        why = f"{_together(distinct)} are different losses, so"
        if len(distinct) < 2:
            why = f"the runs use {distinct[0]} with different parameters, so"
        metrics = [name for task in {readings.task(run) for run in runs} if task for name in PRIMARY_METRICS[task]]
        instead = f"; compare a metric such as val_{metrics[0]}" if metrics else ""
        sentence = f"train_loss and val_loss are not ranked: {why} their values have different meanings{instead}"
        return dict.fromkeys(_LOSS_COLUMNS, False), (sentence,)
    own = str(losses[0]["name"])
    if ":" in own and _differing_sources(runs, own):
        sentence = (
            f"train_loss and val_loss are not ranked: {own} ran with different source code, so its values may "
            "have different meanings"
        )
        return dict.fromkeys(_LOSS_COLUMNS, False), (sentence,)
    if training_data(runs):
        sentence = "train_loss is not ranked: the runs were trained on different data"
        return {**dict.fromkeys(_LOSS_COLUMNS, True), "train_loss": False}, (sentence,)
    return dict.fromkeys(_LOSS_COLUMNS, True), ()


def notes(runs: Sequence[RecordedRun], deciding: Sequence[str], at: str | int) -> tuple[str, ...]:
    """Return what to keep in mind about the numbers as a whole.

    Args:
        deciding: The columns that the verdicts are based on.
        at: The moment of the comparison: "best", "last" or an epoch.
    """
    found = []
    if len(runs) == 1:
        found.append("the runs differ only in their seeds: they are one experiment, with nothing to compare it with")
    elif not deciding and not reasons(runs, [run.name for run in runs]):
        found.append("no verdict: no deciding metric has a value in at least two of the runs")
    if len({run.config["epochs"] for run in runs}) > 1:
        found.append("the runs were set to train for different numbers of epochs")
    if any(name.startswith("train_") for name in deciding):
        found.append(
            "the verdicts use the training data: they show how well a run fits the data it has seen, not how well it "
            "does on new data"
        )
    if at == "best" and any(name.startswith("val_") for name in deciding):
        found.append(
            "the verdicts use the validation data, which also chose the best epochs, so every run looks better than "
            "it is"
        )
    return tuple(found)

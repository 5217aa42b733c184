"""What may be said of several runs side by side: which values mean the same, and how far they carry."""

from collections.abc import Sequence
from itertools import combinations
from typing import Final

from lossrun.analysis.comparison.differences import Difference, component_text
from lossrun.analysis.values import readings
from lossrun.analysis.values.splits import Splits, mixed, splits
from lossrun.catalog.metrics import PRIMARY_METRICS
from lossrun.records.provenance.source_code import recorded_source
from lossrun.records.recorded import RecordedRun

# What a result may depend on besides the config: facts of run.json, and what to call them.
_ENVIRONMENT: Final = {
    "lossrun": "lossrun",
    "torch": "torch",
    "device": "device",
    "threads": "threads",
    "git_commit": "git commit",
}
_COMPONENTS: Final = ("dataset", "model", "loss", "optimizer")

# The configured objective: what it means depends on the run.
_LOSS_COLUMNS: Final = ("train_loss", "val_loss", "test_loss")


def reasons(runs: Sequence[RecordedRun], names: Sequence[str]) -> tuple[str, ...]:
    """Why the metrics of these runs must not be subtracted; empty where they may."""
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
            f"{_together(own)} {'draws' if len(own) == 1 else 'draw'} a new split for each seed (dataset.split_seed: "
            f"seed), {_together(one)} {'has' if len(one) == 1 else 'have'} one split for all seeds, so the values were "
            "not measured on the same samples: train all with the same dataset.split_seed"
        )
        return tuple(found)
    for part in ("validation", "test"):
        if not _same(known, part):
            found.append(f"the {part} data differ, so the values were not measured on the same samples")
    if len({_ignored(run) for run in runs}) > 1:
        listed = ", ".join(f"{name}: {_ignored(run) or 'none'}" for name, run in zip(names, runs, strict=True))
        found.append(f"the runs ignore different labels ({listed}), so they were not scored on the same samples")
    return tuple(found)


def _ignored(run: RecordedRun) -> str:
    """The label whose samples are not scored; "" for none."""
    loss = run.config["loss"]
    label = None if ":" in loss["name"] else loss.get("ignore_index")
    # torch's own default, and what it names, are no samples of any data.
    return "" if label is None or label == -100 else str(label)


def _same(runs: Sequence[Splits], part: str) -> bool:
    """Whether a part of the data is the same in all runs, seed by seed."""
    return all(one.same(other, part) for one, other in combinations(runs, 2))


def training_data(runs: Sequence[RecordedRun]) -> list[Difference]:
    """The difference between the training data, where there is one, as the beginnings of their hashes."""
    known = [splits(run) for run in runs]
    digests = [next(iter(one.digests.get("train", {}).values()), None) for one in known]
    if _same(known, "train") and len({digest is None for digest in digests}) == 1:
        return []
    shown = tuple(
        "other samples for each seed" if one.own and len(run.seeds) > 1 else digest[:12] if digest else "-"
        for one, run, digest in zip(known, runs, digests, strict=True)
    )
    return [Difference("training data (SHA-256)", shown, shown)]


def environment_warnings(runs: Sequence[RecordedRun], names: Sequence[str]) -> tuple[str, ...]:
    """One sentence for each fact of the environment that is not the same in all runs."""
    found = []
    for key, what in _ENVIRONMENT.items():
        values = [run.environment.get(key) for run in runs]
        if len(set(values)) > 1:
            listed = ", ".join(f"{value or 'unknown'} ({name})" for name, value in zip(names, values, strict=True))
            found.append(f"{what} differs: {listed}")
    return (*found, *_source_warnings(runs, names))


def _source_warnings(runs: Sequence[RecordedRun], names: Sequence[str]) -> list[str]:
    """What to know of the source of the user's own components that several of the runs name alike."""
    # Components of one file are told together: {what is to be said: the components}.
    said: dict[str, list[str]] = {}
    for component in sorted({run.config[kind]["name"] for run in runs for kind in _COMPONENTS}):
        users = [index for index, run in enumerate(runs) if _uses(run, component)]
        if ":" not in component or len(users) < 2:
            continue
        for module, digests in _differing_sources([runs[index] for index in users], component).items():
            listed = ", ".join(f"{names[index]}: {digest}" for index, digest in zip(users, digests, strict=True))
            said.setdefault(f"different source of {module} ({listed})", []).append(component)
        unknown = [names[index] for index in users if not _sources(runs[index], component)]
        if unknown:
            said.setdefault(f"a source that {', '.join(unknown)} did not record", []).append(component)
    return [f"{_together(components)} ran with {what}" for what, components in said.items()]


def _together(words: Sequence[str]) -> str:
    """`a, b and c`."""
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def _differing_sources(runs: Sequence[RecordedRun], component: str) -> dict[str, list[str]]:
    """{module: its digest in each run} of the modules behind a component that are not the same in all runs.

    A run that was resumed with changed source has several digests. A run that does not say takes no part.
    """
    sources = [_sources(run, component) for run in runs]
    found: dict[str, list[str]] = {}
    for module in sorted({name for source in sources for name in source}):
        digests = [" then ".join(source.get(module, ())) for source in sources]
        if len({digest for digest in digests if digest}) > 1:
            found[module] = [digest or "unknown" for digest in digests]
    return found


def _sources(run: RecordedRun, component: str) -> dict[str, list[str]]:
    """{module: the digests it had, in order} of a component's module and those it imports; {} where not recorded."""
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
    """Whether each column of the configured loss has one meaning in all runs, and in words why not."""
    # `inputs` says in which form the outputs arrive; the loss is the same.
    losses = [{key: value for key, value in run.config["loss"].items() if key != "inputs"} for run in runs]
    if any(loss != losses[0] for loss in losses):
        distinct = list(dict.fromkeys(component_text("loss", loss) for loss in losses))
        if len(distinct) < 2:
            distinct = ["the same loss with other parameters"]
        metrics = [name for task in {readings.task(run) for run in runs} if task for name in PRIMARY_METRICS[task]]
        instead = f"; compare metrics such as val_{metrics[0]}" if metrics else ""
        sentence = (
            f"train_loss and val_loss are not ranked: {_together(distinct)} are different losses, "
            f"their values have different meanings{instead}"
        )
        return dict.fromkeys(_LOSS_COLUMNS, False), (sentence,)
    own = str(losses[0]["name"])
    if ":" in own and _differing_sources(runs, own):
        sentence = (
            f"train_loss and val_loss are not ranked: {own} ran with different source, so its values may have "
            "different meanings"
        )
        return dict.fromkeys(_LOSS_COLUMNS, False), (sentence,)
    if training_data(runs):
        sentence = "train_loss is not ranked: the runs were trained on different data"
        return {**dict.fromkeys(_LOSS_COLUMNS, True), "train_loss": False}, (sentence,)
    return dict.fromkeys(_LOSS_COLUMNS, True), ()


def notes(runs: Sequence[RecordedRun], deciding: Sequence[str], at: str | int) -> tuple[str, ...]:
    """What to keep in mind of the numbers as a whole. `deciding`: the columns that verdicts are given on."""
    found = []
    if len(runs) == 1:
        found.append("the runs are equal but for their seeds: one experiment, and nothing to compare it with")
    elif not deciding and not reasons(runs, [run.name for run in runs]):
        found.append("no verdict: there is no metric to decide by that two of the runs have a value for")
    if len({run.config["epochs"] for run in runs}) > 1:
        found.append("the runs were asked for different numbers of epochs")
    if any(name.startswith("train_") for name in deciding):
        found.append("the training data decide: they say how well a run has learned them, and nothing about new data")
    if at == "best" and any(name.startswith("val_") for name in deciding):
        found.append("the validation data decide, and have chosen the best epochs too, which flatters every run")
    return tuple(found)

"""Print `show`."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from rich.console import Console

from lossrun.analysis.comparison.differences import component_text, yaml_text
from lossrun.analysis.learning_curves import spans_decades
from lossrun.analysis.run_facts import RunFacts
from lossrun.catalog import metric_names
from lossrun.report.comparison.by_class import class_table
from lossrun.report.layout.console import note, plus_minus, warning
from lossrun.report.layout.glyphs import draws_unicode
from lossrun.report.layout.numbers import format_number, format_seconds, format_size, format_spread
from lossrun.report.layout.text_table import Column, TextTable, print_line, print_pairs, print_table
from lossrun.report.plots.sparkline import sparkline
from lossrun.report.reference.names_in_brackets import where_to_read
from lossrun.shell import run_command

# Facts of an event that only serve to check files.
_DIGESTS: Final = ("config", "config_digest", "history", "predictions", "best_weights")


def print_facts(facts: RunFacts, console: Console) -> None:
    """Print everything about one run: state, metrics, saved files, config, environment, events."""
    print_results(facts, console)
    _print_saved(console, facts)
    _print_section(console, "Config", [(key, component_text(key, value)) for key, value in facts.config.items()])
    _print_section(console, "Environment", list(_flat(facts.environment)))
    events = [(f"{event['time']} {event['event']}", _event(event)) for event in facts.events]
    _print_section(console, "Events", events)


def print_results(facts: RunFacts, console: Console) -> None:
    """Print the state of a run, its metrics, and its learning curves."""
    print_line(console, facts.name, style="bold")
    arranged = f" for {facts.arrangement}" if facts.arrangement else ""
    lines = {
        "directory": str(facts.path),
        "status": facts.status,
        "epochs": f"{facts.epochs_done} of {facts.epochs_asked}, {format_seconds(facts.seconds)}{arranged}",
        "seeds": ", ".join(map(str, facts.seeds)),
        **({"tags": ", ".join(tags)} if (tags := facts.config.get("tags")) else {}),
        f"best {facts.best_metric}": _best(facts.best_epochs),
    }
    print_pairs(console, list(lines.items()))
    for remark in facts.remarks:
        note(console, remark)
    if more := where_to_read(facts.remarks):
        note(console, more)
    if facts.metrics:
        sign = plus_minus(console)
        columns = (
            Column("better", tuple(metric_names.better(y.goal) for y in facts.metrics), right=False),
            Column("best epoch", tuple(format_spread(y.at_best, sign) for y in facts.metrics)),
            Column("last epoch", tuple(format_spread(y.at_last, sign) for y in facts.metrics)),
        )
        key = Column("metric", tuple(y.name for y in facts.metrics), right=False)
        print_line(console, "")
        print_table(console, TextTable("Metrics", key, columns))
    if facts.by_class:
        print_line(console, "")
        title = f"By class, {facts.by_class.part} data at the best epoch"
        print_table(console, class_table(facts.by_class, plus_minus(console), title))
    _print_curves(console, facts)


def _event(event: dict[str, Any]) -> str:
    """Write the facts of an event in one line; results of seeds and the environment are shown elsewhere."""
    changes = [
        f"{key}: {component_text(key, old)} -> {component_text(key, new)}"
        for key, (old, new) in event.get("changes", {}).items()
    ]
    plain = [
        format_seconds(value) if key == "seconds" else f"{key} {value}"
        for key, value in event.items()
        if key not in ("event", "time", "changes", "environment", "seeds", *_DIGESTS) and value is not None
    ]
    return ", ".join(plain + changes)


def _flat(mapping: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in mapping.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, yaml_text(value)


def _print_section(console: Console, title: str, pairs: Sequence[tuple[str, str]]) -> None:
    print_line(console, "")
    print_line(console, title, style="bold")
    print_pairs(console, pairs)


def _print_curves(console: Console, facts: RunFacts) -> None:
    """Print the losses and primary metrics from the first epoch to the last; nothing for a single epoch."""
    curves = [curve for curve in facts.curves if len(curve.xs) > 1]
    if not curves:
        return
    log = [spans_decades(curve.means, metric_names.goal(curve.column)) for curve in curves]
    drawn = [
        sparkline(curve.means, unicode=draws_unicode(console), log=is_log)
        for curve, is_log in zip(curves, log, strict=True)
    ]
    columns = (
        Column("first", tuple(format_number(curve.means[0]) for curve in curves)),
        Column("epoch by epoch", tuple(drawn), right=False),
        Column("last", tuple(format_number(curve.means[-1]) for curve in curves)),
        *([Column("scale", tuple("log" if one else "" for one in log), right=False)] if any(log) else []),
    )
    mean = "; means over seeds" if len(facts.seeds) > 1 else ""
    print_line(console, "")
    draws = run_command("plot", facts.path)
    below = f"each curve goes from its lowest to its highest value{mean}; `{draws}` draws them with axes"
    key = Column("curve", tuple(curve.column for curve in curves), right=False)
    print_table(console, TextTable("Learning curves", key, columns, note=below))


def _print_saved(console: Console, facts: RunFacts) -> None:
    """Print the files in checkpoints/, and the best weights of a small model."""
    if facts.saved:
        columns = (
            Column("step", tuple("-" if file.step is None else str(file.step) for file in facts.saved)),
            Column("epochs", tuple("-" if file.epochs is None else str(file.epochs) for file in facts.saved)),
            Column("size", tuple(format_size(file.size) for file in facts.saved)),
        )
        names = Column("file", tuple(file.name for file in facts.saved), right=False)
        print_line(console, "")
        print_table(
            console,
            TextTable("Checkpoints", names, columns, note="step-*: everything needed to resume; best-*: weights only"),
        )
        for file in facts.saved:
            if file.problem:
                warning(console, file.problem)
    else:
        print_line(console, "\nNo checkpoints.")
    if facts.best_weights:
        seeds = tuple(facts.best_weights)
        numbers = tuple(facts.best_weights[seeds[0]])
        values = tuple(
            Column(f"seed {seed}", tuple(format_number(facts.best_weights[seed][name]) for name in numbers))
            for seed in seeds
        )
        print_line(console, "")
        print_table(console, TextTable("Weights at the best epoch", Column("weight", numbers, right=False), values))


def _best(epochs: dict[int, int]) -> str:
    """Write the best epochs of the seeds, once if they are all the same."""
    if len(set(epochs.values())) == 1:
        return f"epoch {next(iter(epochs.values()))}" + (f" (all {len(epochs)} seeds)" if len(epochs) > 1 else "")
    return ", ".join(f"epoch {epoch} (seed {seed})" for seed, epoch in epochs.items()) or "-"

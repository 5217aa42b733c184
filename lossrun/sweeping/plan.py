"""Plan a sweep: a directory for each cell, first the tuning cells, then the final ones."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from lossrun.analysis.sweeps.tuning import PairTuning
from lossrun.analysis.sweeps.words import word, words
from lossrun.config import SourcedConfig
from lossrun.errors import ConfigError
from lossrun.records import names
from lossrun.records.provenance.whereabouts import starting_points
from lossrun.records.sweep_directory import Phase, PlannedCell
from lossrun.sweeping.cells import Cell, tuning_seeds, with_seeds
from lossrun.sweeping.checking import check_cells
from lossrun.sweeping.reading import ReadSweep
from lossrun.sweeping.search_space.space import AT_A_TIME, FIRST_DRAWS, Space
from lossrun.sweeping.stacks import with_stacks

MOST_TRAININGS: Final = 100_000  # seeds of all cells
MOST_ROUNDS: Final = 3  # of halving
_LISTED: Final = ("splits", "folds")  # a tuning run lists those of its repetitions


def planned(cell: Cell, phase: Phase, number: int, seeds: Sequence[int]) -> PlannedCell:
    """Return the line of a cell in the plan."""
    return _line(phase, number, cell.pair, cell.changes, with_seeds(cell.config, seeds).to_mapping())


def _line(
    phase: Phase, number: int, pair: Mapping[str, Any], changes: Mapping[str, Any], config: Mapping[str, Any]
) -> PlannedCell:
    # A directory's name has no plus sign, and 1e+20 must not become 1e-20.
    name = "-".join([phase, f"{number:04d}", *map(word, changes.values())]).replace("e+", "e")
    return PlannedCell(names.slug(name), phase, dict(pair), dict(changes), config)


def tuning_line(
    number: int, pair: Mapping[str, Any], changes: Mapping[str, Any], config: Mapping[str, Any]
) -> PlannedCell:
    """Return the line of a tuning run that is added later, with the seeds that its config has."""
    return _line("tune", number, pair, changes, config)


def final_cells(pairs: Sequence[PairTuning], seeds: Sequence[int]) -> list[PlannedCell]:
    """Return the runs of each pair with its chosen values, on seeds that tuning has not seen.

    There is usually one run for each pair. If tuning was repeated, each repetition has its share of the seeds, which
    get the values that it chose, and there is a run for each different choice. With splits or folds, each of them is a
    repetition.
    """
    found: list[PlannedCell] = []
    for pair in pairs:
        of: dict[str, list[int]] = {}
        trials = {trial.cell.directory: trial for trial in pair.trials}
        for number, choice in enumerate(pair.choices):
            if choice is not None:
                of.setdefault(choice.cell.directory, []).append(number)
        each = len(seeds) // len(pair.choices)
        for directory, numbers in of.items():
            cell = trials[directory].cell
            trained = pair.every[0].cell.config  # with the splits or folds of all repetitions
            its = [seeds[number * each : (number + 1) * each] for number in numbers]
            config = {**cell.config, **with_repetitions(trained, numbers, its)}
            found.append(_line("final", len(found) + 1, cell.pair, cell.changes, config))
    return found


def with_repetitions(
    config: Mapping[str, Any], numbers: Sequence[int], seeds: Sequence[Sequence[int]]
) -> dict[str, Any]:
    """Return what a config has for some repetitions of tuning only: their `seeds`, and their splits or folds.

    Args:
        config: Of a tuning run of all repetitions.
    """
    kept = {key: [config[key][number] for number in numbers] for key in _LISTED if config.get(key)}
    return {"seeds": [seed for each in seeds for seed in each], **kept}


def first_cells(cells: Sequence[Cell], space: Space) -> list[PlannedCell]:
    """Return the cells that are run first: the tuning runs, or all cells of a plain grid."""
    if space.tuning is None:
        return [planned(cell, "final", number, cell.config.seeds) for number, cell in enumerate(cells, 1)]
    seeds = tuning_seeds(cells, space.tuning.seeds * space.tuning.repeats)
    if space.tuning.repeats > 1:
        # A seed that diverges is lost to its own repetition only.
        cells = [replace(cell, config=replace(cell.config, on_divergence="continue")) for cell in cells]
    if space.halving:
        rounds = halving_epochs(space.halving, cells[0].config.epochs)
        cells = [replace(cell, config=replace(cell.config, epochs=rounds[0])) for cell in cells]
    return [planned(cell, "tune", number, seeds) for number, cell in enumerate(cells, 1)]


def halving_epochs(factor: int, epochs: int) -> list[int]:
    """Return the length of each round of halving, the shortest first: a third of a third of the epochs, and so on."""
    rounds = [epochs]
    while len(rounds) < MOST_ROUNDS and rounds[0] >= factor:
        rounds.insert(0, max(1, round(rounds[0] / factor)))
    return rounds


@dataclass(frozen=True, slots=True)
class Planned:
    """A sweep before it is written. `config`: with all defaults of the sweep block; `facts`: for the ledger."""

    name: str
    config: Mapping[str, Any]
    cells: Sequence[PlannedCell]
    facts: Mapping[str, Any]
    tunes: bool

    @property
    def epochs(self) -> int:
        """The number of epochs of all cells and seeds together, including cells that are planned later."""
        tuning = sum(int(cell.config["epochs"]) * len(cell.config["seeds"]) for cell in self.cells)
        if not self.tunes:
            return tuning
        pairs = len({words(cell.pair) for cell in self.cells})
        sampler, halving = self.facts["sampler"], self.facts["halving"]
        if sampler:
            tuning = tuning * int(sampler["samples"]) * pairs // len(self.cells)
        if halving:  # each round has fewer values, and more epochs by the same factor
            tuning *= len(halving["epochs"])
        return tuning + pairs * len(self.facts["seeds"]) * int(self.config["epochs"])

    @property
    def growth(self) -> float:
        """How many times as many tuning runs there will be, roughly, with those that are planned later."""
        sampler, halving, times = self.facts["sampler"], self.facts["halving"], 1.0
        if sampler:
            pairs = len({words(cell.pair) for cell in self.cells})
            times = int(sampler["samples"]) * pairs / len(self.cells)
        if halving:
            times *= sum(1 / halving["factor"] ** number for number in range(len(halving["epochs"])))
        return times

    @property
    def later(self) -> str:
        """What is planned later, once scores are known; "" if only the final runs are."""
        sampler, halving, text = self.facts["sampler"], self.facts["halving"], ""
        if sampler:
            pairs = len({words(cell.pair) for cell in self.cells})
            more = sampler["samples"] - len(self.cells) // pairs
            each = "repetition and pair" if self.facts["repeats"] > 1 else "pair"
            text = f"{more} more value{'s' if more != 1 else ''} for each {each}, drawn where the first ones did well; "
        if halving:
            first, *others = halving["epochs"]
            longer = " and ".join(map(str, others))
            text += f"each for {first} epoch{'s' if first > 1 else ''}, the best of them for {longer} epochs; "
        if extend := self.facts["extend"]:
            more = extend["times"]
            text += (
                f"up to {more} more value{'s' if more > 1 else ''} of {extend['key']} where the best is on an edge; "
            )
        return text


def plan_sweep(
    swept: ReadSweep,
    runs_dir: Path,
    data_dir: Path,
    *,
    meanwhile: Callable[[], None] = lambda: None,
    elsewhere: bool = False,
) -> Planned:
    """Plan every cell, and check one of each pair against its data.

    Args:
        meanwhile: Starts work that can run during the checks; it is called once the configs have no mistakes.
        elsewhere: Whether other machines will train the cells, so that their devices are unknown.

    Raises UsageError and DataError, with every mistake, before anything is written.
    """
    reading, space, cells = swept
    space = _of_each_split(space, reading)
    if (trainings := space.trainings(len(reading.config.seeds))) > MOST_TRAININGS:
        text = f"{space.size:,} cells with all their seeds are {trainings:,} trainings; at most {MOST_TRAININGS:,}"
        why = f"{text}: give fewer alternatives or fewer seeds"
        raise ConfigError([reading.source.problem(("sweep",), why, at_key=True)])
    divided = next((one.config for one in cells if one.config.resampling != reading.config.resampling), None)
    if space.tuning is not None and divided is not None:
        key = divided.resampled_by or reading.config.resampled_by
        why = (
            "each split or fold is tuned by its own validation data, so pairs with different ones cannot be compared; "
            f"set {key} outside the sweep block, or set sweep.tune: false"
        )
        raise ConfigError([reading.source.problem(("sweep", str(key)), why, at_key=True)])
    meanwhile()
    metric = check_cells(reading, space, cells, data_dir, elsewhere=elsewhere)
    tuning = space.tuning
    tune = False if tuning is None else {"metric": metric, "seeds": tuning.seeds, "repeats": tuning.repeats}
    rounds = halving_epochs(space.halving, reading.config.epochs) if space.halving else []
    halving = {"factor": space.halving, "epochs": rounds} if space.halving else None
    config = {**reading.config.to_mapping(), "sweep": {**space.block, "tune": tune}}
    facts = {
        **starting_points(runs_dir, reading.directory, data_dir),
        "metric": metric,
        "seeds": list(reading.config.seeds),
        "repeats": tuning.repeats if tuning else 1,
        "extend": space.extend,
        "samples": space.samples,
        "sampler": _sampler(space, rounds),
        "halving": halving,
    }
    name = reading.config.name or f"sweep-{reading.config.dataset.name.rpartition(':')[2]}"
    first = with_stacks(first_cells(cells, space), reading.directory, data_dir)
    return Planned(name, config, first, facts, space.tuning is not None)


def _sampler(space: Space, rounds: Sequence[int]) -> dict[str, Any] | None:
    """Return what the ledger keeps of the sampler. With halving it draws enough at a time to leave a best value."""
    if space.sampling is None or not rounds:
        return space.sampling
    enough = int(space.halving or 1) ** (len(rounds) - 1)
    return {**space.sampling, "at_a_time": max(AT_A_TIME, min(FIRST_DRAWS, enough))}


def _of_each_split(space: Space, reading: SourcedConfig) -> Space:
    """Return the space with a separate tuning for each split or fold.

    The test samples of one split are training and validation samples of others. So values that all splits choose
    together depend on the test samples of each split; values that a split chooses by its own validation data do not.

    Raises ConfigError for another number of repetitions.
    """
    config = reading.config
    key, count = config.resampled_by, config.resampling
    if space.tuning is None or not count:
        return space
    if space.tuning.repeats not in (1, count):
        why = (
            f"with {key}: {count} each of them is tuned by its own validation data, because the others train and "
            "validate on its test samples; leave out sweep.tune.repeats"
        )
        raise ConfigError([reading.source.problem(("sweep", "tune", "repeats"), why)])
    return replace(space, tuning=replace(space.tuning, repeats=count))

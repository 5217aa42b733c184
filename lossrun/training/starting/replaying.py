"""Train a part of a recorded run again, and compare every bit with the record. The run is only read."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np

from lossrun.analysis.verification import Check, Mismatch
from lossrun.config import from_mapping
from lossrun.data import default_data_dir
from lossrun.errors import CheckpointError, DivergedError
from lossrun.experiment import Experiment, load_experiment
from lossrun.files import is_there
from lossrun.records import checkpoints, ledger, predictions
from lossrun.records.checkpoints import Checkpoint
from lossrun.records.files.contents import content_if_there
from lossrun.records.files.digests import with_unix_lines
from lossrun.records.files.scratch import scratch_folder
from lossrun.records.provenance import original_data, whereabouts
from lossrun.records.provenance.belonging import Belonging
from lossrun.records.provenance.saved_state import check_config, check_weights
from lossrun.records.recorded import RecordedRun
from lossrun.records.run_directory import RunDirectory
from lossrun.training.criteria import criteria_of, renew
from lossrun.training.events import EpochRecord, RunFinished
from lossrun.training.loop import train
from lossrun.training.process import environment
from lossrun.training.process.isolation import isolated
from lossrun.training.session import Session
from lossrun.training.starting.differing import differing_state, equal, is_within, same, sentences
from lossrun.training.starting.prepare import prepare_stack
from lossrun.training.starting.run_facts import environment_of
from lossrun.training.starting.start import session_of
from lossrun.training.state import capture, restore


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a run that one process trained, with one config, in one environment. `begins`: epoch and step."""

    begins: tuple[int, int]
    config: Mapping[str, Any]
    environment: Mapping[str, Any]


class _ReachedError(Exception):
    """The target was reached, and compared."""


def replayed(run: RecordedRun, *, whole: bool, data_dir: Path | None) -> Iterator[Check]:
    """Yield a check for each part that is trained again.

    Args:
        whole: Every part from the first step on, instead of only the last one between two kept checkpoints.

    Raises:
        DataError: If the data have changed or are missing, by part.
        CheckpointError: If a checkpoint cannot be read, or holds another number of seeds or weights than the config
            asks for.
    """
    kept = _kept_checkpoints(RunDirectory(run.path).checkpoints, whole=whole)
    starts: list[Checkpoint | None] = [None, *kept[:-1]]
    stretches = list(zip(starts, kept, strict=True))
    if not whole and len(kept) > 1:
        stretches = stretches[-1:]
    saved = check_config(run, Belonging.to(run))
    with isolated():
        place, experiment = original_data.find(run, data_dir)
    if saved is not None:
        saved_weights = saved.numbers("model.") // len(run.seeds)
        check_weights(experiment.config, experiment.facts, saved_weights, run.name)
    if (code := whereabouts.code_place(run)).copied:
        # The model is built from the copy, wherever the data are.
        experiment = replace(experiment, reading=replace(experiment.reading, directory=code.directory))
        place = replace(place, directory=code.directory)
    folder = data_dir or whereabouts.data_folder(run, default_data_dir())
    for start, end in stretches:
        yield _Replay(run, experiment, place, folder).check(start, end, to_the_end=end is kept[-1])


def _kept_checkpoints(folder: Path, *, whole: bool) -> list[Checkpoint]:
    """Return the checkpoints to compare, oldest first: all of them, or the last two.

    They are read at once, and again if one has gone meanwhile: a run in progress removes its older checkpoints.
    """
    before: list[Path] = []
    while True:
        paths = checkpoints.candidates(folder)[::-1]
        try:
            return [checkpoints.read(path) for path in (paths if whole else paths[-2:])]
        except CheckpointError:
            if paths == before:
                raise
            before = paths


class _Replay:
    """Trains one part in a temporary directory."""

    def __init__(self, run: RecordedRun, experiment: Experiment, place: whereabouts.Place, folder: Path) -> None:
        self.run, self.experiment, self.place, self.folder = run, experiment, place, folder
        self.recorded = {(row["epoch"], row["seed"]): row for row in run.history.rows}
        self.problems: list[str] = []
        self.rows: list[Mismatch] = []
        self.state: tuple[str, ...] = ()
        self.ends: list[Mismatch] = []
        self.changes: dict[str, list[Any]] = {}
        self.reached = False

    def check(self, start: Checkpoint | None, end: Checkpoint, *, to_the_end: bool) -> Check:
        first = start.metadata["step"] if start else 0
        what = f"steps {first} to {end.metadata['step']}"
        parts = _segments_between(self.run, _position(start) if start else (1, 0), _position(end))
        for place, part in enumerate(parts):
            goal = end if place == len(parts) - 1 else None
            ends = parts[place + 1].begins if goal is None else _position(end)
            start = self._trained(start, part, ends, goal, to_the_end=to_the_end and goal is not None)
        in_checkpoint = [Mismatch("checkpoint", self.state)] if self.state else []
        differences = (*self.rows, *in_checkpoint, *self.ends)
        if not self.reached and not self.state and not self.problems:
            self.problems.append("the training ended before the recorded checkpoint")
        problems = [*sentences(differences), *self.problems]
        if problems and self.changes:
            changed = ", ".join(f"{key} {old} -> {new}" for key, (old, new) in self.changes.items())
            problems.append(f"possibly because this differs here: {changed}")
        if problems and parts[-1].environment.get("stack"):
            problems.append("it was trained in a stack with other cells, whose last bits differ from a run alone")
        return Check(
            what,
            "; ".join(problems),
            "trained again, compared bit for bit",
            differences,
            dict(self.changes),
            "differs elsewhere" if self.changes else "differs",
        )

    def _trained(
        self,
        start: Checkpoint | None,
        part: Segment,
        ends: tuple[int, int],
        goal: Checkpoint | None,
        *,
        to_the_end: bool,
    ) -> Checkpoint:
        """Train one segment, and return the state at its end."""
        # Of the dataset only the path can change within a run.
        recorded = {**part.config, "dataset": self.run.config["dataset"]}
        config = from_mapping(whereabouts.placed(recorded, self.place), self.place.directory, name="config.yaml")
        experiment = load_experiment(config, self.folder, trains=False, loaded=self.experiment)
        prepared = prepare_stack([experiment], part.environment)
        now = environment_of(prepared, self.run.path.parent)
        self.changes |= environment.changes(dict(part.environment), now)
        with scratch_folder("lossrun-verify-") as folder, isolated():
            run = _copied(self.run, folder, 0 if start is None else start.metadata["history_length"])
            session = session_of(prepared, [run], [self.run.environment.get("id")])
            if start is not None:
                restore(session, start)
                renew(session, criteria_of(start.metadata, config.config, session.facts))
            if (session.position.epoch, session.position.step) == ends:  # no step lies between
                self._compare(session, goal)
            else:
                self._drain(session, ends, goal, to_the_end=to_the_end)
            return capture(session)

    def _drain(self, session: Session, ends: tuple[int, int], goal: Checkpoint | None, *, to_the_end: bool) -> None:
        finished = self.run.finished if to_the_end else None
        goes_on = finished is not None and finished.get("step") == ends[1] and self.run.status == "finished"

        def asked() -> None:
            if (session.position.epoch, session.position.step) == ends:
                self._compare(session, goal)
                if not (goes_on and not session.training):
                    raise _ReachedError
            elif session.position.step > ends[1]:
                raise _ReachedError

        try:
            with isolated(session.stream):  # throughout, because a state includes the generator's state
                for event in train(session, asked):
                    if isinstance(event, EpochRecord):
                        self._compare_rows(event.rows)
                        if (session.position.epoch, session.position.step) == ends:
                            self._compare(session, goal)
                    elif isinstance(event, RunFinished) and finished is not None and goal is not None:
                        self._compare_end(session, event, finished)
        except _ReachedError:
            pass
        except DivergedError as error:
            self.problems.append(f"it diverged: {str(error).splitlines()[0]}")

    def _compare(self, session: Session, goal: Checkpoint | None) -> None:
        """Compare the present state. A position may be passed twice, at the end of an epoch and before the next."""
        session.step.publish()
        if goal is None or self.reached:
            return
        self.state = tuple(differing_state(goal, capture(session)))
        self.reached = not self.state

    def _compare_rows(self, rows: Sequence[Mapping[str, Any]]) -> None:
        for row in rows:
            recorded = self.recorded.get((row["epoch"], row["seed"]))
            if recorded is None:  # the run was stopped before the end of this epoch
                continue
            wrong = [
                name
                for name, value in row.items()
                if name not in ("seconds", "train_seconds") and name in recorded and not same(value, recorded[name])
            ]
            if wrong:
                self.rows.append(Mismatch("history", tuple(wrong), row["epoch"], row["seed"]))

    def _compare_end(self, session: Session, event: RunFinished, finished: Mapping[str, Any]) -> None:
        for seed, scores in finished["seeds"].items():
            found = event.seeds.get(seed, {})
            if wrong := [name for name, value in scores.items() if not is_within(value, found.get(name))]:
                self.ends.append(Mismatch("scores", tuple(wrong), seed=int(seed)))
        if not self.run.verified:
            return
        again = ledger.read(session.run.ledger_path)[-1]
        for key, arrays_of in _FILES_OF_THE_END.items():
            # Another version of Python, numpy or safetensors may write the same arrays as other bytes.
            if not finished.get(key) or key not in again or again[key] == finished[key]:
                continue
            theirs, ours = arrays_of(RunDirectory(self.run.path), finished[key]), arrays_of(session.run, again[key])
            if wrong := [name for name, array in sorted(theirs.items()) if not equal(array, ours.get(name))]:
                self.ends.append(Mismatch(key, tuple(wrong)))


def _kept_predictions(run: RunDirectory, digest: str | None) -> dict[str, np.ndarray]:
    """Return what predictions.npz holds; {} if it was removed, or nothing was kept."""
    if digest is None or not is_there(run.predictions_path):
        return {}
    return predictions.read(run.predictions_path, digest).arrays()


def _kept_weights(run: RunDirectory, name: str | None) -> dict[str, np.ndarray]:
    """Return the tensors in the file of best weights; {} if it was removed, or there are none."""
    path = run.checkpoints / Path(name or "").name
    return checkpoints.read(path).tensors if name and is_there(path) else {}


# The keys of the event `finished` that name a file, each with what reads its arrays.
_FILES_OF_THE_END: Final[
    Mapping[Literal["predictions", "best_weights"], Callable[[RunDirectory, str | None], dict[str, np.ndarray]]]
] = {
    "predictions": _kept_predictions,
    "best_weights": _kept_weights,
}


def _segments_between(run: RecordedRun, first: tuple[int, int], last: tuple[int, int]) -> list[Segment]:
    """Return the segments that led from one position to another, without steps that a resume has discarded."""
    recorded = ledger.recorded_config(run.ledger)
    config: Mapping[str, Any] = run.config if recorded is None else recorded
    segments = [Segment((1, 0), config, run.environment)]
    for event in run.ledger:
        if event["event"] != "resumed":
            continue
        config = event.get("config", run.config)
        begins = (event["epoch"], event["step"])
        segments = [segment for segment in segments if segment.begins < begins]
        segments.append(Segment(begins, config, event.get("environment", run.environment)))
    begun = [segment for segment in segments if segment.begins <= first] or segments[:1]
    return [begun[-1], *(segment for segment in segments if first < segment.begins < last)]


def _copied(run: RecordedRun, folder: Path, history_length: int) -> RunDirectory:
    copy = RunDirectory(folder)
    copy.checkpoints.mkdir()
    source = RunDirectory(run.path)
    content = with_unix_lines(content_if_there(source.history_path))
    if len(content) < history_length:
        raise CheckpointError(f"{source.history_path}: it is shorter than when a checkpoint was saved")
    copy.history_path.write_bytes(content[:history_length])
    return copy


def _position(checkpoint: Checkpoint) -> tuple[int, int]:
    return checkpoint.metadata["epoch"], checkpoint.metadata["step"]

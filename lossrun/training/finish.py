"""End a run: score the test data at the best and at the last weights, and keep predictions and the best weights."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from lossrun.records import checkpoints, ledger, predictions
from lossrun.records.files import durable
from lossrun.steps.evaluate import Evaluation, evaluate, metric_weights
from lossrun.steps.replica import Replica
from lossrun.training.events import RunFinished
from lossrun.training.good_states import fitted
from lossrun.training.process.stopping import interruptible
from lossrun.training.saving import write_rows
from lossrun.training.session import MemberRun, Session
from lossrun.training.state import best_arrays, capture, cut_out, load_weights, weights

# With more classes than this, the metrics of each class are left to `lossrun evaluate`.
MOST_CLASSES: Final = 100


@dataclass(frozen=True, slots=True)
class Ending:
    """What is written at the end of one run.

    Attributes:
        finished: None for a run that has diverged.
        files: New files, each with its content.
        events: Events for the ledger. They are written last, because they say that the run has ended.
    """

    member: MemberRun
    finished: RunFinished | None
    files: Sequence[tuple[Path, bytes]]
    events: Sequence[tuple[str, Mapping[str, Any]]]


def finish(session: Session, answer: Callable[[], None]) -> list[RunFinished]:
    """Score the held-out data, write predictions.npz and the best weights, and close the ledger, for every member.

    Afterwards each seed has its last weights again. `answer` is called whenever the state is as training left it. It
    answers requests from outside, and so may stop the run.
    """
    session.end_members()
    open_members = [member for member in session.members if not member.closed]
    scored = {id(member): _scored(session, member, answer) for member in open_members if not member.diverged}
    if session.stack is not None:
        write_rows(session)
        session.step.publish()
        last = capture(session)
    endings = []
    for member in open_members:
        ending = _diverged(member) if member.diverged else _finished(session, member, *scored[id(member)])
        if session.stack is not None:
            own = cut_out(last, member.run.name)
            if member.diverged and member.good is not None:
                own = fitted(member.good, member.run)
            file = checkpoints.file_of(member.run.checkpoints, own.metadata["step"], own)
            ending = replace(ending, files=[*ending.files, file])
        endings.append(ending)
    durable.replace_all([file for ending in endings for file in ending.files])
    ledger.append_all([(ending.member.run.ledger_path, ending.events) for ending in endings])
    for ending in endings:
        folder = ending.member.run.checkpoints
        names = {path.name for path, _ in ending.files}
        if ending.finished is not None:
            checkpoints.remove(checkpoints.best_files(folder), but=names)
        if session.stack is not None:
            checkpoints.remove(checkpoints.candidates(folder), but=names)
    return [ending.finished for ending in endings if ending.finished is not None]


@dataclass(frozen=True, slots=True)
class _Kept:
    """What each seed's best epoch gives for the held-out data.

    Attributes:
        outputs: {seed: outputs (N, K)}.
        shares: {metric: {seed: the share of each sample, (N,)}}; {} without test data that all seeds share.
    """

    outputs: dict[int, np.ndarray] = field(default_factory=dict)
    shares: dict[str, dict[int, np.ndarray]] = field(default_factory=dict)


def _scored(session: Session, member: MemberRun, answer: Callable[[], None]) -> tuple[dict[str, dict[str, Any]], _Kept]:
    """Return the ledger's facts of each seed, and what its best epoch gives for the held-out data."""
    facts: dict[str, dict[str, Any]] = {}
    kept = _Kept()
    most = _most_shares(session, member)
    for replica in member.replicas:
        answer()
        best = replica.best
        # Copies, because `weights` returns views of the memory into which the best weights are loaded.
        last = {name: array.copy() for name, array in weights(replica).items()}
        fact: dict[str, Any] = {
            "best_epoch": best.epoch or None,
            "best_step": best.step or None,
            "stopped_epoch": replica.stopped_epoch,
            "diverged_epoch": replica.diverged_epoch,
        }
        at_best = None
        held_out = replica.parts.test or replica.parts.validation
        best_is_last = not best.epoch or _same(best_arrays(replica), last)
        try:
            with interruptible():
                if not best_is_last:
                    if replica.parts.test is not None:
                        fact["test_at_last"] = _columns(evaluate(replica, replica.parts.test, session.output_spec))
                    load_weights(replica, best_arrays(replica))
                if held_out is not None:
                    few = session.output_spec.outputs <= MOST_CLASSES
                    at_best = evaluate(replica, held_out, session.output_spec, by_class=few, most_shares=most)
        finally:
            load_weights(replica, last)
        if at_best is not None:
            kept.outputs[replica.seed] = at_best.predictions.cpu().numpy()
            for name, shares in at_best.shares.items():
                kept.shares.setdefault(name, {})[replica.seed] = shares.cpu().numpy()
            if held_out is replica.parts.test:
                fact["test_at_best"] = _columns(at_best)
                fact.setdefault("test_at_last", fact["test_at_best"])
            if at_best.classes:
                part = "test" if held_out is replica.parts.test else "validation"
                fact["classes_at_best"] = {"part": part, **at_best.classes}
        facts[str(replica.seed)] = fact
    return facts, kept


def _same(best: Mapping[str, np.ndarray], last: Mapping[str, np.ndarray]) -> bool:
    """Return whether the best weights are the last ones, bit for bit, so that one evaluation serves both."""
    return all(best[name].tobytes() == array.tobytes() for name, array in last.items())


def _most_shares(session: Session, member: MemberRun) -> int:
    """Return for how many metrics to keep the shares of test samples; 0 if each seed has its own test samples."""
    parts = member.replicas[0].parts
    if parts.test is None or any(replica.parts is not parts for replica in member.replicas):
        return 0
    return predictions.most_shares(len(parts.test.ids), len(member.replicas), session.output_spec.outputs)


def _finished(session: Session, member: MemberRun, facts: Mapping[str, Mapping[str, Any]], kept: _Kept) -> Ending:
    assert member.end is not None
    predicted, best = _predictions(session, member, kept), _best_weights(member)
    finished = RunFinished(member.end.epoch - 1, member.end.step, facts, member.seconds)
    event = {
        **asdict(finished),
        "predictions": None if predicted is None else predicted[1],
        "best_weights": None if best is None else best[0].name,
        "history": member.history.mark.facts(),
    }
    files = [] if predicted is None else [(member.run.predictions_path, predicted[0])]
    files += [] if best is None else [best]
    return Ending(member, finished, files, [*_waiting(member), ("finished", event)])


def _diverged(member: MemberRun) -> Ending:
    return Ending(member, None, [], _waiting(member))


def _waiting(member: MemberRun) -> list[tuple[str, Mapping[str, Any]]]:
    """Return the events that waited for the end. The last one says that a diverged run has ended."""
    mark = {"history": member.history.mark.facts()}
    return sorted(
        ((event, {**facts, **mark}) for event, facts in member.waiting_events), key=lambda each: each[0] == "diverged"
    )


def _best_weights(member: MemberRun) -> tuple[Path, bytes] | None:
    """Return the file of the best weights of all seeds that have any; None if no seed has."""
    with_best = [replica for replica in member.replicas if replica.best.epoch]
    if not with_best:
        return None
    each = [best_arrays(replica) for replica in with_best]
    tensors = {
        name: np.stack([arrays[name] for arrays in each]) if len(each) > 1 else array for name, array in each[0].items()
    }
    facts = {"best": [_best(replica) for replica in with_best]}
    return checkpoints.best_file(member.run.checkpoints, tensors, facts)


def _best(replica: Replica) -> dict[str, Any]:
    best = replica.best
    return {"seed": replica.seed, "epoch": best.epoch, "step": best.step, best.metric: best.value}


def _predictions(session: Session, member: MemberRun, kept: _Kept) -> tuple[bytes, str] | None:
    """Return the content and the digest of the file of predictions on the held-out data; None without held-out data.

    A row is one sample, so if each seed has its own split, only the first seed's predictions are kept.
    """
    parts = member.replicas[0].parts
    samples = parts.test or parts.validation
    if samples is None:
        return None
    targets, counts = samples.targets, metric_weights(member.replicas[0], samples)
    if session.facts.task == "regression":
        targets = parts.in_original_units(targets)
    shared = {replica.seed for replica in member.replicas if replica.parts is parts}
    return predictions.content(
        ids=samples.ids.numpy(),
        targets=targets.cpu().numpy(),
        outputs={seed: array for seed, array in kept.outputs.items() if seed in shared},
        part="test" if parts.test is not None else "validation",
        weights=None if counts is None else counts.double().cpu().numpy(),
        shares=kept.shares,
    )


def _columns(result: Evaluation) -> dict[str, float]:
    return {"test_loss": result.loss, **{f"test_{name}": value for name, value in result.metrics.items()}}

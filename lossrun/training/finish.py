"""The end of a run: scores on the test data at the best and at the last weights, predictions and best weights kept."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Final

import numpy as np

from lossrun.records import checkpoints, ledger, predictions
from lossrun.steps.evaluate import Evaluation, evaluate, weights_that_count
from lossrun.steps.replica import Replica
from lossrun.training.events import RunFinished
from lossrun.training.session import Session
from lossrun.training.state import best_arrays, load_weights, weights

# With more classes than this, the metrics of each class are left to `lossrun evaluate`.
MOST_CLASSES: Final = 100


def finish(session: Session, heed: Callable[[], None]) -> RunFinished:
    """Score the held-out data, write predictions.npz and the best weights, and close the ledger.

    Afterwards each seed has its last weights again. `heed` is called whenever the state is as training left it; it does
    what was asked for from outside, which may be to stop.
    """
    facts: dict[str, dict[str, Any]] = {}
    outputs: dict[int, np.ndarray] = {}
    for replica in session.replicas:
        heed()
        best = replica.best
        # Copies: what `weights` gives shares the memory that the best ones are loaded into.
        last = {name: array.copy() for name, array in weights(replica).items()}
        fact: dict[str, Any] = {
            "best_epoch": best.epoch or None,
            "best_step": best.step or None,
            "stopped_epoch": replica.stopped_epoch,
            "diverged_epoch": replica.diverged_epoch,
        }
        if replica.parts.test is not None:
            fact["test_at_last"] = _columns(evaluate(replica, replica.parts.test, session.reading))
        if best.epoch:
            load_weights(replica, best_arrays(replica))
        if (held_out := replica.parts.test or replica.parts.validation) is not None:
            few = session.reading.outputs <= MOST_CLASSES
            at_best = evaluate(replica, held_out, session.reading, by_class=few)
            outputs[replica.seed] = at_best.predictions.cpu().numpy()
            if held_out is replica.parts.test:
                fact["test_at_best"] = _columns(at_best)
            if at_best.classes:
                part = "test" if held_out is replica.parts.test else "validation"
                fact["classes_at_best"] = {"part": part, **at_best.classes}
        load_weights(replica, last)
        facts[str(replica.seed)] = fact
    predictions_digest = _save_predictions(session, outputs)
    best_weights = _save_best_weights(session)
    finished = RunFinished(session.position.epoch - 1, session.position.step, facts, session.seconds)
    ledger.append(
        session.run.ledger_path,
        "finished",
        **asdict(finished),
        predictions=predictions_digest,
        best_weights=best_weights,
        history=session.history.mark.facts(),
    )
    checkpoints.remove_best(session.run.checkpoints, but=best_weights or "")
    return finished


def _save_best_weights(session: Session) -> str | None:
    """Write the best weights of every seed that has any; the file's name, or None where no seed has."""
    with_best = [replica for replica in session.replicas if replica.best.epoch]
    if not with_best:
        return None
    each = [best_arrays(replica) for replica in with_best]
    tensors = {
        name: np.stack([arrays[name] for arrays in each]) if len(each) > 1 else array for name, array in each[0].items()
    }
    facts = {"best": [_best(replica) for replica in with_best]}
    return checkpoints.save_best(session.run.checkpoints, tensors, facts).name


def _best(replica: Replica) -> dict[str, Any]:
    best = replica.best
    return {"seed": replica.seed, "epoch": best.epoch, "step": best.step, best.metric: best.value}


def _save_predictions(session: Session, outputs: dict[int, np.ndarray]) -> str | None:
    """Write the predictions on the held-out data; the file's digest, or None without held-out data.

    A row is one sample, so where each seed has a split of its own only the first seed's predictions are kept.
    """
    parts = session.replicas[0].parts
    samples = parts.test or parts.validation
    if samples is None:
        return None
    targets, counts = samples.targets, weights_that_count(session.replicas[0], samples)
    if session.facts.task == "regression":
        targets = targets.double() * parts.target_std + parts.target_mean
    shared = {replica.seed for replica in session.replicas if replica.parts is parts}
    return predictions.save(
        session.run.predictions_path,
        ids=samples.ids.numpy(),
        targets=targets.cpu().numpy(),
        outputs={seed: array for seed, array in outputs.items() if seed in shared},
        part="test" if parts.test is not None else "validation",
        weights=None if counts is None else counts.double().cpu().numpy(),
    )


def _columns(result: Evaluation) -> dict[str, float]:
    return {"test_loss": result.loss, **{f"test_{name}": value for name, value in result.metrics.items()}}

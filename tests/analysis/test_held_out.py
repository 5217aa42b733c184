import numpy as np
import pytest
import torch
from sklearn.metrics import confusion_matrix

from lossrun.analysis.held_out import held_out
from lossrun.components.metrics import compute_metrics, prepared_targets
from lossrun.records import predictions
from lossrun.records.run_directory import RunDirectory

CROSS_ENTROPY = {"name": "cross_entropy", "reduction": "mean"}


@pytest.fixture
def predicted(make_run):
    """A run that has predicted `outputs` {seed: (N, ...)} for `targets`."""

    def make(targets, outputs, *, task, loss, output="none", name="run", ids=None):
        run = make_run(
            name,
            rows=lambda epoch, seed: {"val_loss": 1.0 / epoch},
            config={"loss": {"name": loss}, "model": {"name": "mlp", "output": output}, "seeds": list(outputs)},
            environment={"task": task},
        )
        rows = np.arange(len(targets)) if ids is None else np.asarray(ids)
        arrays = {seed: np.asarray(one) for seed, one in outputs.items()}
        path = RunDirectory(run.path).predictions_path
        predictions.save(path, ids=rows, targets=np.asarray(targets), outputs=arrays, part="test")
        return run

    return make


def test_the_calibration_of_four_predictions(predicted):
    outputs = [[0.95, 0.05], [0.95, 0.05], [0.2, 0.8], [0.2, 0.8]]
    found = held_out([predicted([0, 1, 1, 1], {0: outputs}, task="multiclass", loss="cross_entropy")]).calibration
    filled = {bin.count: (bin.low, bin.high, bin.predicted, bin.observed) for bin in found.bins if bin.count}
    assert sum(bin.count for bin in found.bins) == 4
    # By hand: 0.95 twice in (14/15, 1], once true; 0.8 twice in (11/15, 12/15], the upper edge belongs to it.
    assert [(bin.low, bin.high) for bin in found.bins if bin.count] == [(11 / 15, 12 / 15), (14 / 15, 1.0)]
    assert filled[2] == (14 / 15, 1.0, pytest.approx(0.95), 0.5)
    assert found.error == pytest.approx((2 * 0.2 + 2 * 0.45) / 4)


@pytest.mark.parametrize(
    ("task", "loss", "columns"),
    [
        ("multiclass", "cross_entropy", 4),
        ("binary", "binary_cross_entropy", 1),
        ("multilabel", "binary_cross_entropy", 3),
    ],
)
def test_the_calibration_error_is_the_metric(predicted, task, loss, columns):
    rng = np.random.default_rng(0)
    logits = torch.tensor(rng.normal(size=(2, 300, columns)) * 2)
    labels = rng.integers(0, 4, 300) if task == "multiclass" else rng.integers(0, 2, (300, columns)).astype(np.float32)
    output = "softmax" if task == "multiclass" else "sigmoid"
    targets = prepared_targets(task, torch.tensor(labels), columns)
    values = compute_metrics(task, logits, targets, output=output, reads_as="probabilities")
    outputs = logits.softmax(-1) if task == "multiclass" else logits.sigmoid()
    run = predicted(labels, {0: outputs[0].numpy(), 1: outputs[1].numpy()}, task=task, loss=loss)
    # The torch implementation that training scores with, mean over the seeds as in every table.
    assert held_out([run]).calibration.error == pytest.approx(
        values["expected_calibration_error"].mean().item(), abs=1e-10
    )


def test_confusion_is_counted_as_scikit_learn_does_over_all_seeds(predicted):
    rng = np.random.default_rng(1)
    targets, outputs = rng.integers(0, 3, 50), rng.dirichlet(np.ones(3), (2, 50))
    run = predicted(targets, {0: outputs[0], 1: outputs[1]}, task="multiclass", loss="cross_entropy")
    found = held_out([run], ("cat", "dog", "owl")).confusion
    expected = sum(confusion_matrix(targets, one.argmax(-1), labels=[0, 1, 2]) for one in outputs)
    assert found.classes == ("cat", "dog", "owl")
    assert found.counts == tuple(map(tuple, expected.tolist()))


def test_the_worst_example_is_denied_most_on_average(predicted):
    # To the true class 0 the seeds give: row 5: 0.4 and 0.4; row 7: 0.1 and 0.9; row 9: 0.9 and 0.9.
    first = [[0.4, 0.6], [0.1, 0.9], [0.9, 0.1]]
    second = [[0.4, 0.6], [0.9, 0.1], [0.9, 0.1]]
    run = predicted([0, 0, 0], {0: first, 1: second}, task="multiclass", loss="cross_entropy", ids=[5, 7, 9])
    found = held_out([run], ("yes", "no"))
    assert found.measure == "1 - probability of the true class"
    assert [example.id for example in found.worst] == [5, 7, 9]
    assert [example.badness for example in found.worst] == pytest.approx([0.6, 0.5, 0.1])
    assert [example.wrong for example in found.worst] == [2, 1, 0]
    assert found.worst[0].truth == ("yes",)
    assert found.worst[0].guess == ("no",)


def test_margins_are_no_probabilities(predicted):
    outputs = [[2.0, 1.0, 0.0], [0.0, 3.0, 1.0]]
    found = held_out([predicted([0, 2], {0: outputs}, task="multiclass", loss="multi_margin")])
    assert found.calibration is None
    assert found.confusion.counts == ((1, 0, 0), (0, 0, 0), (0, 1, 0))
    # By hand: 3 - 1 for the second sample, 1 - 2 for the first.
    assert [(example.id, example.badness) for example in found.worst] == [(1, 2.0), (0, -1.0)]


@pytest.mark.parametrize(
    ("loss", "output", "guesses"),
    [("binary_cross_entropy", "none", (0, 1)), ("mse", "none", (0, 1)), ("hinge", "none", (1, 1))],
)
def test_yes_begins_in_the_middle_of_probabilities_and_at_0_of_margins(predicted, loss, output, guesses):
    run = predicted([[1.0], [1.0]], {0: [[0.3], [0.7]]}, task="binary", loss=loss, output=output)
    assert held_out([run]).confusion.counts[1] == (guesses.count(0), guesses.count(1))


def test_regression_is_wrong_by_its_error(predicted):
    run = predicted([[1.0], [5.0]], {0: [[1.5], [2.0]], 1: [[0.5], [4.0]]}, task="regression", loss="mse")
    found = held_out([run])
    assert found.measure == "absolute error"
    assert found.calibration is found.confusion is None
    # By hand: (3 + 1) / 2 and (0.5 + 0.5) / 2; the guess is the seeds' mean.
    assert [(example.truth, example.guess, example.badness) for example in found.worst] == [
        ((5.0,), (3.0,), 2.0),
        ((1.0,), (1.0,), 0.5),
    ]
    assert found.worst[0].wrong is None


def test_labels_are_told_by_name(predicted):
    run = predicted([[1.0, 0.0, 1.0]], {0: [[0.9, 0.8, 0.3]]}, task="multilabel", loss="binary_cross_entropy")
    (example,) = held_out([run], ("sea", "sun", "sky")).worst
    assert (example.truth, example.guess) == (("sea", "sky"), ("sea", "sun"))
    assert example.badness == pytest.approx((0.1 + 0.8 + 0.7) / 3)


def test_outputs_that_are_not_finite_are_left_out_and_told(predicted):
    outputs = {0: [[0.9, 0.1]], 1: [[np.nan, np.nan]]}
    found = held_out([predicted([0], outputs, task="multiclass", loss="cross_entropy")])
    assert found.seeds == (0,)
    assert found.problem == "the outputs of seed 1 contain NaN or infinity and are left out"
    nothing = held_out([predicted([0], {1: outputs[1]}, task="multiclass", loss="cross_entropy", name="other")])
    assert (nothing.worst, nothing.problem) == ((), "its predictions contain NaN or infinity")


def test_a_run_without_predictions_says_so(make_run):
    found = held_out([make_run("young", rows=lambda epoch, seed: {"val_loss": 1.0})])
    assert found.worst == ()
    assert "young has no predictions.npz" in found.problem


def test_members_of_a_group_are_seen_together(predicted):
    runs = [
        predicted([0, 1], {seed: [[0.9, 0.1], [0.6, 0.4]]}, task="multiclass", loss="cross_entropy", name=f"of-{seed}")
        for seed in (0, 1)
    ]
    found = held_out(runs)
    assert found.seeds == (0, 1)
    assert found.confusion.counts == ((2, 0), (2, 0))

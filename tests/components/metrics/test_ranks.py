"""Ranks and decisions of classes against scikit-learn: AUC, average precision, F1, precision, recall."""

import itertools

import numpy as np
import pytest
import sklearn.metrics as sk
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from lossrun.catalog import find
from lossrun.catalog.metrics import MOST_RANKED, metric_names
from lossrun.components.metrics import compute_metrics, prepared_targets
from lossrun.components.metrics.classes import ClassTargets
from lossrun.components.metrics.per_class import class_scores
from lossrun.components.metrics.ranks import ranked
from lossrun.replay.recording import Recording
from tests.components.metrics.test_metrics import SAMPLES, drawn, measured, outputs_of, scores, targets_of

CLOSE = {"rel": 0, "abs": 1e-9}
RANKS = ("auc", "average_precision")
DECISIONS = ("precision", "recall")

# Few values tie; huge ones are probabilities of exactly 0 and 1 in float32.
SCORES = st.one_of(
    st.floats(-1e6, 1e6), st.integers(-2, 2).map(float), st.sampled_from([0.0, -0.0, 1e4, 2e4, -1e4, 1e-300, np.inf])
)
ROWS = st.lists(st.tuples(SCORES, st.booleans(), st.sampled_from([0.0, 0.25, 1.0, 1.0, 3.0])), min_size=1, max_size=40)


@given(ROWS, st.booleans())
@settings(max_examples=100)
def test_ranks_are_scikit_learns_with_ties_and_weights(rows, weighted):
    outputs, truths, weights = (np.array(column) for column in zip(*rows, strict=True))
    truths = truths.astype(float)
    if weighted and not weights.sum():
        weights[:] = 1
    found = ranked(torch.tensor(outputs)[None], torch.tensor(truths)[None], torch.tensor(weights) if weighted else None)
    counted = truths[weights > 0] if weighted else truths
    finite = np.nan_to_num(outputs, posinf=1e300)  # scikit-learn refuses infinity; the order is the same
    given_weights = weights if weighted else None
    if counted.sum() == 0:
        assert found.auc.isnan()
        assert found.average_precision.isnan()
        return
    average_precision = sk.average_precision_score(truths, finite, sample_weight=given_weights)
    assert found.average_precision.item() == pytest.approx(average_precision, **CLOSE)
    if counted.all():
        assert found.auc.isnan()
    else:
        auc = sk.roc_auc_score(truths, finite, sample_weight=given_weights)
        assert found.auc.item() == pytest.approx(auc, **CLOSE)


@pytest.mark.parametrize(
    ("output", "reads_as"),
    [("none", "probabilities"), ("sigmoid", "probabilities"), ("sigmoid", "mean"), ("none", None), ("none", "mean")],
)
def test_binary_is_scikit_learns(output, reads_as):
    raw, truths = drawn(SAMPLES, 1), targets_of("binary", 1)
    found = scores("binary", raw, truths, output=output, reads_as=reads_as)
    plain = output == "none" and reads_as == "mean"
    guesses = (raw > (0.5 if plain else 0)).numpy().ravel()
    expected = {
        "auc": sk.roc_auc_score(truths.numpy(), raw.numpy()),
        "average_precision": sk.average_precision_score(truths.numpy().ravel(), raw.numpy().ravel()),
        "f1": sk.f1_score(truths.numpy().ravel(), guesses),
        "precision": sk.precision_score(truths.numpy().ravel(), guesses),
        "recall": sk.recall_score(truths.numpy().ravel(), guesses),
    }
    assert {name: found[name] for name in expected} == {n: pytest.approx(v, **CLOSE) for n, v in expected.items()}


@pytest.mark.parametrize(
    ("output", "reads_as", "read"),
    [
        ("none", "probabilities", lambda raw: raw.softmax(dim=1)),
        ("softmax", "mean", lambda raw: raw.softmax(dim=1)),
        ("log_softmax", "probabilities", lambda raw: raw.softmax(dim=1)),
        ("sigmoid", "mean", lambda raw: raw.sigmoid()),
        ("none", None, lambda raw: raw),
        ("none", "mean", lambda raw: raw),
    ],
)
def test_multiclass_is_scikit_learns_one_against_the_rest(output, reads_as, read):
    raw, labels = drawn(SAMPLES, 4).double(), targets_of("multiclass", 4)
    found = scores("multiclass", raw, labels, output=output, reads_as=reads_as)
    outputs, guesses = read(raw).numpy(), raw.argmax(dim=1).numpy()
    each = [(labels.numpy() == k, outputs[:, k]) for k in range(4)]
    expected = {
        "auc": np.mean([sk.roc_auc_score(truth, one) for truth, one in each]),
        "average_precision": np.mean([sk.average_precision_score(truth, one) for truth, one in each]),
        "precision": sk.precision_score(labels, guesses, average="macro", zero_division=0),
        "recall": sk.recall_score(labels, guesses, average="macro", zero_division=0),
    }
    if "softmax" in output:
        expected["auc"] = sk.roc_auc_score(labels, outputs, multi_class="ovr", average="macro")
    assert {name: found[name] for name in expected} == {n: pytest.approx(v, **CLOSE) for n, v in expected.items()}


@pytest.mark.parametrize(("output", "reads_as"), [("sigmoid", "probabilities"), ("softmax", "mean"), ("none", "mean")])
def test_multilabel_is_scikit_learns_macro_average(output, reads_as):
    raw, truths = drawn(SAMPLES, 4).double(), targets_of("multilabel", 4)
    found = scores("multilabel", raw, truths, output=output, reads_as=reads_as)
    outputs = {"softmax": raw.softmax(dim=1), "sigmoid": raw.sigmoid(), "none": raw}[output].numpy()
    guesses = outputs > 0.5
    expected = {
        "auc": sk.roc_auc_score(truths, outputs, average="macro"),
        "average_precision": sk.average_precision_score(truths, outputs, average="macro"),
        "precision": sk.precision_score(truths, guesses, average="macro", zero_division=0),
        "recall": sk.recall_score(truths, guesses, average="macro", zero_division=0),
    }
    assert {name: found[name] for name in expected} == {n: pytest.approx(v, **CLOSE) for n, v in expected.items()}


@pytest.mark.parametrize("task", ["binary", "multiclass", "multilabel"])
def test_weights_are_scikit_learns(task):
    outputs = outputs_of(task)
    raw, targets = drawn(SAMPLES, outputs).double(), targets_of(task, outputs)
    weights = torch.randint(0, 4, (SAMPLES,), generator=torch.Generator().manual_seed(5)).double() / 3
    prepared = prepared_targets(task, targets, outputs, weights=weights)
    found = compute_metrics(task, raw, prepared, output="none", reads_as="probabilities")
    one_hot = torch.nn.functional.one_hot(targets, 4).numpy() if task == "multiclass" else targets.numpy()
    read = (raw.softmax(dim=1) if task == "multiclass" else raw.sigmoid()).numpy()
    w = weights.numpy()
    aucs = [sk.roc_auc_score(one_hot[:, k], read[:, k], sample_weight=w) for k in range(outputs)]
    averages = [sk.average_precision_score(one_hot[:, k], read[:, k], sample_weight=w) for k in range(outputs)]
    assert found["auc"].item() == pytest.approx(np.mean(aucs), **CLOSE)
    assert found["average_precision"].item() == pytest.approx(np.mean(averages), **CLOSE)
    guesses = raw.argmax(dim=1) if task == "multiclass" else (raw > 0)
    labels = targets if task != "binary" else targets[:, 0]
    options = {"sample_weight": w, "zero_division": 0, "average": "binary" if task == "binary" else "macro"}
    guesses = guesses[:, 0] if task == "binary" else guesses
    assert found["precision"].item() == pytest.approx(sk.precision_score(labels, guesses, **options), **CLOSE)
    assert found["recall"].item() == pytest.approx(sk.recall_score(labels, guesses, **options), **CLOSE)


def test_logits_still_rank_where_probabilities_are_all_1():
    # In double precision the sigmoid of 40 and of 50 is 1: of the probabilities all pairs tie.
    logits, truths = torch.tensor([[40.0], [50.0], [60.0], [45.0]]), torch.tensor([[0.0], [1.0], [1.0], [0.0]])
    found = scores("binary", logits, truths, output="sigmoid", reads_as="probabilities")
    assert found["auc"] == 1.0
    assert sk.roc_auc_score(truths.numpy(), logits.double().sigmoid().numpy()) == 0.5
    # So of a softmax, at both ends.
    # Of class 0 one pair of three is in order, of class 1 three of four, of class 2 all.
    pairs = torch.tensor([[0.0, 100.0, 0.0], [0.0, 120.0, 0.0], [0.0, 50.0, 0.0], [0.0, 60.0, 0.0]])
    found = scores("multiclass", pairs, torch.tensor([0, 1, 2, 1]), output="none", reads_as="probabilities")
    assert found["auc"] == pytest.approx((1 / 3 + 3 / 4 + 1) / 3)


@pytest.mark.parametrize(("task", "chance"), [("binary", "share"), ("multilabel", "shares")])
def test_outputs_that_are_all_the_same_rank_nothing(task, chance):
    outputs = outputs_of(task)
    truths = targets_of(task, outputs)
    found = scores(task, torch.full((SAMPLES, outputs), 0.3), truths, output="none", reads_as="probabilities")
    assert found["auc"] == 0.5
    assert found["average_precision"] == pytest.approx(truths.double().mean().item(), rel=1e-12)


@pytest.mark.parametrize("task", ["multiclass", "multilabel"])
@pytest.mark.parametrize("kinds", [1, 5])
def test_samples_with_the_same_logits_tie(task, kinds):
    # As of a dead network, or of categorical inputs; wherever in memory a sample lies, and at any scale.
    for classes, size in itertools.product((2, 3, 7, 11), (0.0, 1e-3, 1.0, 1e3)):
        generator = torch.Generator().manual_seed(classes)
        rows = torch.randn(kinds, classes, generator=generator) * size
        of = torch.randint(0, kinds, (1001,), generator=generator)
        labels = torch.randint(0, classes, (1001,), generator=generator)
        truths = torch.nn.functional.one_hot(labels, classes)
        found = scores(task, rows[of], labels if task == "multiclass" else truths, output="softmax", reads_as="mean")
        # The log-odds of a class: its logit less the log-sum of the others'. One number for each row.
        others = rows.double().expand(classes, -1, -1).masked_fill(torch.eye(classes).bool()[:, None], -np.inf)
        odds = (rows.double() - others.logsumexp(dim=-1).T)[of]
        each = [(truths[:, k].numpy(), odds[:, k].numpy()) for k in range(classes)]
        auc = np.mean([sk.roc_auc_score(*one) for one in each])
        average_precision = np.mean([sk.average_precision_score(*one) for one in each])
        assert found["auc"] == pytest.approx(auc, **CLOSE)
        assert found["average_precision"] == pytest.approx(average_precision, **CLOSE)


def test_classes_without_a_sample_are_left_out_of_the_mean():
    raw = drawn(SAMPLES, 4).double()
    labels = targets_of("multiclass", 4) % 3  # none of class 3
    found = scores("multiclass", raw, labels, output="none", reads_as="probabilities")
    outputs = raw.softmax(dim=1).numpy()
    assert found["auc"] == pytest.approx(
        np.mean([sk.roc_auc_score(labels.numpy() == k, outputs[:, k]) for k in range(3)]), **CLOSE
    )


@pytest.mark.parametrize("task", ["binary", "multiclass", "multilabel"])
def test_of_samples_that_are_all_of_one_class_there_is_no_auc(task):
    outputs = outputs_of(task)
    targets = torch.zeros(SAMPLES, dtype=torch.long) if task == "multiclass" else torch.zeros(SAMPLES, outputs)
    found = scores(task, drawn(SAMPLES, outputs), targets, output="none", reads_as="probabilities")
    assert np.isnan(found["auc"])
    # The one class of a multiclass task is all there is, and so right wherever it ranks.
    assert found["average_precision"] == 1.0 if task == "multiclass" else np.isnan(found["average_precision"])


@pytest.mark.parametrize("task", ["binary", "multiclass", "multilabel"])
def test_a_diverged_model_ranks_nothing(task):
    outputs = outputs_of(task)
    raw = drawn(2, SAMPLES, outputs)
    raw[1, 3] = float("nan")
    found = measured(task, raw, targets_of(task, outputs), output="none", reads_as="probabilities")
    for name in RANKS:
        assert found[name].isnan().tolist() == [False, True]


@pytest.mark.parametrize("task", ["binary", "multiclass", "multilabel"])
def test_recorded_once_and_replayed_on_other_values(task):
    outputs = outputs_of(task)
    raw, targets = drawn(2, SAMPLES, outputs), targets_of(task, outputs)
    recording = Recording(lambda: measured(task, raw, targets, output="none", reads_as="probabilities"))
    raw.copy_(drawn(2, SAMPLES, outputs, seed=7).round())  # with ties
    recording.replay()
    now = measured(task, raw, targets, output="none", reads_as="probabilities")
    for name in (*RANKS, *DECISIONS):
        assert torch.equal(recording.outputs[name], now[name]), name


def test_the_order_of_the_samples_changes_nothing():
    raw, truths = drawn(SAMPLES, 1).round(), targets_of("binary", 1)
    values: list[dict[str, Tensor]] = [
        measured("binary", x, t, output="sigmoid", reads_as="probabilities")
        for x, t in ((raw, truths), (raw.flip(0), truths.flip(0)))
    ]
    assert values[0]["auc"] == values[1]["auc"]  # to the bit: whole numbers are summed


@pytest.mark.parametrize("task", ["multiclass", "multilabel"])
def test_over_a_hundred_classes_are_not_sorted_in_every_epoch(task):
    for classes, there in ((MOST_RANKED, True), (MOST_RANKED + 1, False)):
        targets = torch.arange(classes) if task == "multiclass" else torch.eye(classes)
        found = scores(task, drawn(classes, classes), targets, output="none", reads_as="probabilities")
        assert {name in found for name in RANKS} == {there}
        assert set(DECISIONS) < set(found)
        names = metric_names(task, output="none", reads_as="probabilities", targets=classes)
        assert list(found) == names


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        *(("roc_auc", "auc"), ("AUROC", "auc"), ("roc_auc_score", "auc"), ("macro_auc", "auc"), ("AUC", "auc")),
        *(
            ("ap", "average_precision"),
            ("pr_auc", "average_precision"),
            ("average_precision_score", "average_precision"),
        ),
        *(("f1", "f1"), ("f1_score", "f1"), ("F1Score", "f1"), ("macro_f1", "macro_f1"), ("f1_macro", "macro_f1")),
        *(("precision_score", "precision"), ("recall_score", "recall"), ("sensitivity", "recall")),
    ],
)
def test_metrics_of_ranks_are_found_by_their_other_names(spelling, name):
    found = find("metric", spelling)
    assert found is not None
    assert found.component.name == name
    assert found.component.goal == "max"


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    ("task", "output", "reads_as"),
    [
        ("binary", "none", "probabilities"),
        ("binary", "none", None),
        ("binary", "none", "mean"),
        ("multiclass", "none", "probabilities"),
        ("multiclass", "sigmoid", "mean"),
        ("multiclass", "none", None),
        ("multilabel", "sigmoid", "probabilities"),
        ("multilabel", "softmax", "mean"),
    ],
)
def test_the_values_of_each_class_have_the_means_that_a_run_is_scored_by(task, output, reads_as, weighted):
    outputs = outputs_of(task)
    raw, targets = drawn(SAMPLES, outputs), targets_of(task, outputs)
    weights = torch.arange(SAMPLES) % 3 + 0.5 if weighted else None
    prepared = prepared_targets(task, targets, outputs, weights=weights)
    assert isinstance(prepared, ClassTargets)
    whole = compute_metrics(task, raw, prepared, output=output, reads_as=reads_as)
    each = class_scores(task, raw, prepared, output=output, reads_as=reads_as)
    assert {value.shape for value in each.values()} == {(outputs,)}
    for name in ("precision", "recall", *RANKS):
        assert each[name].mean().item() == pytest.approx(whole[name].item(), **CLOSE)
    assert each["f1"].mean().item() == pytest.approx(whole["f1" if task == "binary" else "macro_f1"].item(), **CLOSE)
    assert torch.equal(each["samples"], prepared.counts)


def test_each_class_is_scikit_learns_report():
    raw, labels = drawn(SAMPLES, 4).double(), targets_of("multiclass", 4)
    prepared = prepared_targets("multiclass", labels, 4)
    each = class_scores("multiclass", raw, prepared, output="none", reads_as="probabilities")
    precision, recall, f1, samples = sk.precision_recall_fscore_support(labels, raw.argmax(dim=1))
    for name, expected in (("precision", precision), ("recall", recall), ("f1", f1), ("samples", samples)):
        assert each[name].numpy() == pytest.approx(expected, **CLOSE)

"""Keys that people write who come from elsewhere, or who mistype."""

from collections.abc import Callable

import pytest

from lossrun.catalog import COMPONENTS
from lossrun.config.habits import ANSWERS, HABITS

Problems = Callable[..., list[str]]
OneProblem = Callable[..., str]

# Those that the design names.
PROMISED = {
    "lr": "learning_rate",
    "optimizer.lr": "learning_rate",
    "max_epochs": "epochs",
    "validation_split": "dataset.validation",
    "criterion": "loss",
    "class_weight": "loss.class_weights",
    "monitor": "early_stopping.metric",
}


def test_the_promised_habits_are_known() -> None:
    assert PROMISED.items() <= HABITS.items()


@pytest.mark.parametrize(("habit", "meant"), HABITS.items())
def test_a_habit_from_elsewhere_gives_one_message_with_our_key(
    problems: Problems, shortest: str, habit: str, meant: str
) -> None:
    top, _, below = habit.partition(".")
    names = {
        "dataset": "synthetic_regression",
        "optimizer": "adam",
        "model": "mlp",
        "loss": "cross_entropy",
        "schedule": "cosine",
    }
    leaf = meant.rpartition(".")[2]
    if top in names and meant.startswith(f"{top}.") and leaf != "from_logits":
        having = [component.name for component in COMPONENTS[top] if component.parameter(leaf)]
        names[top] = names[top] if names[top] in having else having[0]
    if names["dataset"] == "csv":
        names["dataset"] = "csv, path: a.csv, target: y"
    named = f"name: {names[top]}, " if top in names else ""
    line = f"{top}: {{{named}{below}: 1}}" if below else f"{top}: 1"
    # The key that is meant is not there, and must not be called missing besides.
    rest = [old for old in shortest.splitlines() if old.partition(":")[0] not in (top, meant)]
    found = problems("\n".join([*rest, line]))
    assert len(found) == 1, found
    # The right word in the wrong place is not a riddle.
    outside = top if below and "." not in meant else ""
    hint = f"write {meant} on a separate line, next to {outside}" if outside else f"did you mean {meant}?"
    assert f"{habit}: there is no such key; {hint}" in found[0].splitlines()[0]


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("LR: 1e-3", "learning_rate"),
        ("max-epochs: 3", "epochs"),
        ("maxEpochs: 3", "epochs"),
        ("learningRate: 1e-3", "learning_rate"),
        ("optimiser: adam", "optimizer"),
        ("epoch: 3", "epochs"),
        ("batchsize: 3", "batch_size"),
        ("early-stopping: 3", "early_stopping"),
        ("seeed: 3", "seed"),
        ("model: {name: mlp, hiden: [3]}", "model.hidden"),
        ("loss: {name: cross_entropy, label_smothing: 0.1}", "loss.label_smoothing"),
        ("dataset: {name: mnist, validaton: 0.1}", "dataset.validation"),
        ("dataset: {name: mnist, corrupt: {label_nois: 0.1}}", "dataset.corrupt.label_noise"),
        ("model: {name: cnn, layers: [{name: conv, kernal: 3}]}", "model.layers[0].kernel"),
    ],
)
def test_a_misspelt_key_is_answered_with_the_one_that_was_meant(problem: OneProblem, line: str, meant: str) -> None:
    dropped = {"LR": "learning_rate", "learningRate": "learning_rate", "optimiser": "optimizer"}
    key = line.partition(":")[0]
    assert problem(line, replaces=dropped.get(key, key)).endswith(f"did you mean {meant}?")


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("hidden: [3]", "did you mean model.hidden?"),
        ("dropout: 0.5", "did you mean model.dropout?"),  # not drop_last, whose letters are nearer
        ("delta: 2", "did you mean loss.delta?"),
        ("standardize: true", "did you mean dataset.standardize?"),
        ("label_noise: 0.1", "did you mean dataset.corrupt.label_noise?"),
        ("dataset: {name: mnist, batch_size: 3}", "write batch_size on a separate line, next to dataset"),
        ("optimizer: {name: sgd, scheduler: cosine}", "write schedule on a separate line, next to optimizer"),
        ("dataset: {name: mnist, random_state: 3}", "write seed on a separate line, next to dataset"),
        ("early_stopping: {delta: 2}", "did you mean early_stopping.min_delta?"),  # nearer than loss.delta
    ],
)
def test_a_key_in_the_wrong_place_is_told_the_right_one(problem: OneProblem, line: str, hint: str) -> None:
    assert problem(line, replaces=line.partition(" ")[0]).splitlines()[0].endswith(f"there is no such key; {hint}")


@pytest.mark.parametrize(
    ("line", "meant"),
    [("device: gpu", "cuda"), ("device: cup", "cpu")],
)
def test_a_word_from_elsewhere_is_told_ours(problem: OneProblem, line: str, meant: str) -> None:
    assert f"is not known; did you mean {meant}?" in problem(line, replaces=line.partition(" ")[0])


@pytest.mark.parametrize(("key", "answer"), ANSWERS.items())
def test_a_key_without_a_counterpart_is_told_where_its_purpose_is_met(
    problem: OneProblem, key: str, answer: str
) -> None:
    top, _, below = key.partition(".")
    named = {
        "dataset": "name: mnist, ",
        "optimizer": "name: sgd, ",
        "model": "name: mlp, ",
        "schedule": "name: cosine, ",
        "loss": "name: mse, ",
    }
    line = f"{top}: {{{named.get(top, '')}{below}: 1}}" if below else f"{top}: 1"
    assert f"{key}: there is no such key; {answer}" in problem(line, replaces=f"{top}:")


@pytest.mark.parametrize(
    ("line", "written"),
    [
        (
            "optimizer: SGD(lr=0.1, momentum=0.9)",
            "{name: SGD, momentum: 0.9}, and learning_rate: 0.1 on a separate line",
        ),
        ("loss: CategoricalCrossentropy(from_logits=True)", "{name: CategoricalCrossentropy, from_logits: true}"),
        ("optimizer: Adam()", "{name: Adam}"),
    ],
)
def test_a_call_is_written_as_a_mapping(problem: OneProblem, line: str, written: str) -> None:
    assert f"write it as a mapping, {written}" in problem(line, replaces=line.partition(" ")[0])


@pytest.mark.parametrize(
    ("line", "said"),
    [
        # An answer holds wherever the key is written.
        ("clipvalue: 1", "gradients are not clipped"),
        ("use_ema: true", "no average of the weights is kept"),
        ("optimizer: {name: sgd, clip_grad_norm: 1}", "gradients are not clipped"),
        ("stratify: true", "classes are always divided in proportion"),
        ("model: {name: mlp, amp: true}", "set precision: bf16"),
        ("model: {name: mlp, cycle: 1}", "it falls once"),
    ],
)
def test_an_answer_is_given_wherever_the_key_is_written(problem: OneProblem, line: str, said: str) -> None:
    assert said in problem(line, replaces=line.partition(" ")[0])


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("learning_rate: 0,001", "; write 0.001"),
        ("learning_rate: '1e-2'", "; write 0.01"),
        ("model: {name: mlp, dropout: 20%}", "; write 0.2"),
        ("epochs: '12'", "; write 12"),
        ("epochs: '12,5'", "expected an integer of at least 1"),  # no integer
        ("learning_rate: '-0,1'", "expected a number above 0"),  # out of bounds
        ("learning_rate: [0.1, 0.01]", "; to try each, write sweep: {learning_rate: [0.1, 0.01]}"),
        ("optimizer: {name: sgd, momentum: [0, 0.9]}", "; to try each, write sweep: {optimizer.momentum: [0, 0.9]}"),
        ("learning_rate: [0.1, -1]", "expected a number above 0"),
        ("loss: [mse, Huber]", "a run has one loss; to try each, write sweep: {loss: [mse, Huber]}"),
        ("loss: mse, Huber", "a run has one loss; to try each, write sweep: {loss: [mse, Huber]}"),
        ("loss: [mse, nothing]", "expected a loss: its name, or a mapping with it"),
        ("learning_rate: {name: ExponentialDecay, decay_rate: 0.9}", "schedule: {name: cosine}"),
        ("dataset: houses.csv", "write a file as {name: csv, path: houses.csv, target: COLUMN}"),
        ("dataset: data/digits.npz", "write a file as {name: npz, path: data/digits.npz}"),
        ("dataset: houses.xlsx", "save it as a csv or npz file"),
        ("precision: single", "did you mean float32?"),
        ("learning_rate: auto", "`lossrun find-lr` suggests one"),
        ("batch_size: all", "did you mean full?"),
        ("best: {mode: maximize}", "did you mean max?"),
        ("dataset: {name: csv, path: a.csv, target: y, encode: label}", "words an order that they do not have"),
        ("dataset: {name: mnist, batch: 32}", "write batch_size on a separate line, next to dataset"),
        ("loss: qqq", "or write a loss of your own, `module:attribute`"),
        ("loss: qqq.www.zzz", "or write a loss of your own, `qqq.www:zzz`"),
        ("schedule: qqq", "reduce_on_plateau"),  # which cannot be one's own
    ],
)
def test_a_value_as_others_write_it_is_told_as_it_is_written_here(problem: OneProblem, line: str, said: str) -> None:
    first = problem(line, replaces=line.partition(" ")[0]).splitlines()[0]
    assert first.endswith(said) or said in first

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lossrun.config import SourcedConfig, from_mapping
from lossrun.config.overrides import apply
from lossrun.config.reader import parse
from lossrun.errors import ConfigError

Read = Callable[..., SourcedConfig]
Problem = Callable[..., str]
Problems = Callable[..., list[str]]


@pytest.mark.parametrize(
    ("more", "overrides", "same_as"),
    [
        ("", ["learning_rate=1e-2"], "learning_rate: 0.01"),
        ("", ["loss=huber"], "loss: huber"),
        ("", ["loss=huber", "loss.delta=2"], "loss: {name: huber, delta: 2}"),
        ("", ["loss={name: huber, delta: 2}", "loss=huber"], "loss: huber"),
        ("", ["loss.label_smoothing=0.1"], "loss: {name: cross_entropy, label_smoothing: 0.1}"),
        ("", ["optimizer.betas=[0.8, 0.9]"], "optimizer: {name: adam, betas: [0.8, 0.9]}"),
        ("", ["tags=[a, b]", "name=x=y"], "tags: [a, b]\nname: x=y"),
        ("", ["seeds=3"], "seeds: 3"),
        ("", ["schedule.warmup_epochs=1"], "schedule: {name: constant, warmup_epochs: 1}"),
        ("schedule: cosine\n", ["schedule.warmup_epochs=1"], "schedule: {name: cosine, warmup_epochs: 1}"),
        ("schedule: null\n", ["schedule.warmup_epochs=1"], "schedule: {name: constant, warmup_epochs: 1}"),
        ("", ["early_stopping.patience=3"], "early_stopping: {patience: 3}"),
        ("early_stopping: 7\n", ["early_stopping.min_delta=0.1"], "early_stopping: {patience: 7, min_delta: 0.1}"),
        ("early_stopping: 7\n", ["early_stopping=null"], ""),
        ("epochs: 7\n", ["epochs=null"], ""),
        ("", ["epochs=null"], ""),
        ("", ["checkpoint=200 steps", "checkpoint.keep=5"], "checkpoint: {every: 200 steps, keep: 5}"),
        ("", ["dataset.corrupt.label_noise=0.2"], "dataset: {name: mnist, corrupt: {label_noise: 0.2}}"),
        ("", ["dataset.standardize.targets=true"], "dataset: {name: mnist, standardize: {targets: true}}"),
        ("", ["model.init=he_normal", "model.init.bias=1"], "model: {name: mlp, init: {name: he_normal, bias: 1}}"),
        ("", ["lint.double_activation=warn"], "lint: {double_activation: warn}"),
        ("", ["optimizer.eps=1e-5", "optimizer.epsilon=1e-7"], "optimizer: {name: adam, eps: 1e-7}"),
        ("", ["optimizer.epsilon=1e-5", "optimizer.epsilon=null"], ""),
        ("", ["dataset=a:f", "dataset.standardize=true", "dataset.standardize.targets=true", "dataset.k=1"],
         "dataset: {name: 'a:f', k: 1, standardize: {inputs: true, targets: true}}"),
    ],
)  # fmt: skip
def test_what_an_option_changes(read_text: Read, shortest: str, more: str, overrides: list[str], same_as: str) -> None:
    keys = tuple(line.partition(":")[0] for line in same_as.splitlines())
    rest = [line for line in shortest.splitlines() if not line.startswith(keys or ("-",))]
    expected = read_text("\n".join([*rest, same_as])).config
    assert read_text(shortest + more, *overrides).config == expected


def test_the_mapping_given_is_left_alone() -> None:
    raw: dict[str, Any] = {
        "dataset": "mnist",
        "model": {"name": "mlp"},
        "loss": "mse",
        "optimizer": "sgd",
        "learning_rate": 1,
    }
    from_mapping(raw, Path(), ["model.hidden=[3]", "loss=null", "loss=mae"])
    assert raw["model"] == {"name": "mlp"}
    assert raw["loss"] == "mse"


@pytest.mark.parametrize(
    ("option", "complaint"),
    [
        ("epochs", "not KEY=VALUE; expected, for example, --set learning_rate=0.01"),
        ("=3", "not KEY=VALUE"),
        ("epochs=", "there is no value after =; write epochs=null for the key's default"),
        ("epochs= # 5", "there is no value after ="),
        ("dataset.path=", "there is no value after ="),
        ("a..b=3", "not KEY=VALUE"),
        (".=3", "not KEY=VALUE"),
        ("epochs=[1,", "not YAML: a value is missing here"),
        ("loss={name: mse", "not YAML: this { is not closed"),
        ("epochs=*a", "an alias (*); write the value out"),
        ("epochs=3\n---\n4", "a second document"),
        ("name=\udc80", "the character U+DC80"),
        ("epochs=ten", "epochs: 'ten' is a string; expected an integer of at least 1"),
        ("epochs.foo=3", "epochs: {'foo': 3} is a mapping; expected an integer of at least 1"),
        ("learning_rate=nan", "learning_rate: 'nan' is a string"),
        ("learning_rate=.nan", "learning_rate: nan is not a finite number"),
        ("lr=0.1", "lr: there is no such key; did you mean learning_rate?"),
        ("optimizer.lr=0.1", "optimizer.lr: there is no such key; write learning_rate on a separate line"),
        ("epoch=null", "epoch: there is no such key; did you mean epochs?"),
        ("early_stoping.patience=3", "early_stoping: there is no such key; did you mean early_stopping?"),
        ("loss=hubber", "loss: there is no loss 'hubber'; did you mean huber?"),
        ("loss.name=hubber", "loss.name: there is no loss 'hubber'; did you mean huber?"),
        ("loss.delta=2", "loss.delta: there is no such key; expected one of inputs"),
        ("loss=null", "loss: missing: loss to minimize"),
        ("model.hidden.0=3", "model.hidden: {'0': 3} is a mapping; expected a list, each an integer"),
        ("dataset.corrupt.label_noise=2", "dataset.corrupt.label_noise: 2 is not allowed; expected a number"),
    ],
)
def test_errors_name_the_option(problem: Problem, option: str, complaint: str) -> None:
    lines = problem("model: {name: mlp, hidden: [3]}", option, replaces="model")
    assert lines.startswith(f"--set {option}".splitlines()[0])
    if "\n" not in option:
        assert lines.startswith(f"--set {option}: {complaint}")


@pytest.mark.parametrize("written", [",", "','", '","', " ,"])
def test_a_word_that_is_punctuation_is_taken_as_it_is(written: str) -> None:
    dataset = {"name": "csv", "path": "a.csv", "target": "y"}
    raw = {"dataset": dataset, "model": "mlp", "loss": "mse", "optimizer": "adam", "learning_rate": 0.1}
    reading = from_mapping(raw, Path(), [f"dataset.decimal={written}"])
    assert reading.config.dataset["decimal"] == ","


def test_a_missing_parameter_of_a_component_set_by_an_option(problems: Problems, shortest: str) -> None:
    found = problems(shortest, "dataset=csv")
    assert [problem.split(": ")[:3] for problem in found] == [
        ["--set dataset=csv", "dataset.path", "missing"],
        ["--set dataset=csv", "dataset.target", "missing"],
    ]


def test_a_mistake_of_the_file_is_not_blamed_on_an_option(problems: Problems, shortest: str) -> None:
    found = problems(shortest + "epochs: ten\n", "batch_size=3", "loss.reduction=sum")
    assert [problem.split(": ")[0] for problem in found] == ["c.yaml:6:9"]


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ("[?]", ["?"]),
        ("[?, -, *]", ["?", "-", "*"]),
        ("[!, 5, n/a]", ["!", 5, "n/a"]),
        ("[?, -9.5]", ["?", -9.5]),
        ("[a: b]", None),  # a mapping to YAML, which reads it
        ("['?', -]", ["?", "-"]),
    ],
)
def test_items_of_a_list_of_texts_are_taken_as_they_are_written(text: str, items: list[Any] | None) -> None:
    source = parse("dataset: {name: csv}", "c")[1]
    raw, _ = apply({"dataset": {"name": "csv"}}, source, [f"dataset.missing_values={text}"])
    assert items is None or raw["dataset"]["missing_values"] == items


@pytest.mark.parametrize("text", ["[?", "['?, a]", "[?, {]", "[*, , a]"])
def test_a_list_that_cannot_be_parted_is_refused(text: str) -> None:
    source = parse("dataset: {name: csv}", "c")[1]
    with pytest.raises(ConfigError, match=r"^--set dataset\.missing_values="):
        apply({"dataset": {"name": "csv"}}, source, [f"dataset.missing_values={text}"])

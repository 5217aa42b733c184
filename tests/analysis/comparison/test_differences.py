import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lossrun.analysis.comparison.differences import component_text, config_differences, letters, yaml_text
from lossrun.catalog.models import LENET5, TWO_CONV
from lossrun.config.reader import parse

MSE = {"name": "mse", "reduction": "mean"}
HUBER = {"name": "huber", "delta": 1.0, "reduction": "mean"}
SGD = {"name": "sgd", "momentum": 0.0, "nesterov": False, "dampening": 0.0, "weight_decay": 0.0}


def found(*configs):
    return [(difference.key, difference.values) for difference in config_differences(configs)]


def test_only_what_differs_is_listed_and_names_do_not_count():
    a = {"name": "a", "tags": ["x"], "epochs": 10, "optimizer": SGD}
    b = {"name": "b", "tags": [], "epochs": 10, "optimizer": {**SGD, "momentum": 0.9}}
    assert found(a, b) == [("optimizer.momentum", ("0.0", "0.9"))]
    assert found(a, a) == []


def test_a_component_of_another_name_is_one_entry():
    assert found({"loss": MSE}, {"loss": HUBER}) == [("loss", ("mse", "huber(delta=1.0)"))]


def test_a_component_inside_a_component_is_one_entry_too():
    def config(noise):
        return {"dataset": {"name": "synthetic_regression", "noise": noise}}

    gaussian, none = {"name": "gaussian", "std": 0.1}, {"name": "none"}
    assert found(config(gaussian), config(none)) == [("dataset.noise", ("gaussian(std=0.1)", "none"))]


def test_groups_and_absent_keys():
    assert found({"early_stopping": None}, {"early_stopping": {"patience": 5}}, {}) == [
        ("early_stopping", ("null", "{patience: 5}", "-"))
    ]


def test_a_zero_and_an_empty_word_are_seen():
    ignoring = {"name": "cross_entropy", "ignore_index": 0}
    for one, other, shown in ((0, None, "0"), ("", None, '""'), (0, "", "0")):
        ((key, values),) = found(
            {"loss": ignoring | {"ignore_index": one}}, {"loss": ignoring | {"ignore_index": other}}
        )
        assert (key, values[0]) == ("loss.ignore_index", shown)
    assert component_text("loss", ignoring) == "cross_entropy(ignore_index=0)"
    assert component_text("loss", {"name": "focal", "gamma": 0.0}) == "focal(gamma=0.0)"


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("loss", MSE, "mse"),
        ("loss", HUBER, "huber(delta=1.0)"),
        (
            "loss",
            {"name": "cross_entropy", "inputs": "logits", "label_smoothing": 0.1},
            "cross_entropy(label_smoothing=0.1)",
        ),
        ("optimizer", SGD, "sgd"),
        ("optimizer", {**SGD, "nesterov": True, "momentum": 0.9}, "sgd(momentum=0.9, nesterov=true)"),
        ("loss", {"name": "mine:loss", "scale": 2}, "mine:loss(scale=2)"),
        ("model", {"name": "mlp", "hidden": [100], "init": {"name": "torch"}, "output": "softmax"}, "mlp"),
        ("model", {"name": "mlp", "hidden": [30, 10]}, "mlp(hidden=[30, 10])"),
        ("model", {"name": "mlp", "init": {"name": "normal", "std": 1.0}}, "mlp(init=normal(std=1.0))"),
        ("model", {"name": "cnn", "layers": LENET5}, "cnn"),
        ("model", {"name": "cnn", "layers": TWO_CONV}, "cnn(layers=two_conv)"),
        ("model", {"name": "cnn", "layers": [{"name": "dense", "units": 9}]}, "cnn(layers=[dense(units=9)])"),
        (
            "dataset",
            {"name": "csv", "corrupt": {"label_noise": 0.0, "outliers": 0.05, "outlier_scale": 10.0, "seed": 0}},
            "csv(corrupt={outliers: 0.05})",
        ),
        ("epochs", 10, "10"),
    ],
)
def test_component_text_shows_what_tells(key, value, expected):
    assert component_text(key, value) == expected


def test_letters_are_distinct_and_begin_with_the_alphabet():
    found = letters(60)
    assert found[:3] == ("A", "B", "C")
    assert (found[25], found[26], found[52]) == ("Z", "A2", "A3")
    assert len(set(found)) == 60


WRITABLE = st.text(st.characters(exclude_categories=["Cs", "Cc"]))


@given(st.recursive(WRITABLE | st.none() | st.booleans() | st.integers(-(10**9), 10**9), st.lists))
@example(",")
@example("2024")
@example("1e5")
@example("-.inf")
@example("a: b")
@example("a #b")
def test_a_value_is_written_as_yaml_reads_it_in_a_list(value):
    assert parse(f"[{yaml_text(value)}]", "text")[0] == [value]


@pytest.mark.parametrize("text", ["mnist-mlp", "own.losses:huber", "200 steps", "houses (1).csv", "../a/b.csv", ";"])
def test_ordinary_text_needs_no_quotes(text):
    assert yaml_text(text) == text

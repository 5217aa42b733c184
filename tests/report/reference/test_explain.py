import io

import pytest
from rich.console import Console

from lossrun.catalog.columns import COLUMNS
from lossrun.catalog.diagnoses import DIAGNOSES
from lossrun.catalog.lookup import COMPONENTS
from lossrun.catalog.parameter import KeyGroup, Parameter
from lossrun.config import read
from lossrun.config.keys import SWEEP_OPTIONS
from lossrun.errors import UsageError
from lossrun.lint.rules import RULES
from lossrun.report.reference.examples import yaml_lines
from lossrun.report.reference.explain import MEASURE, print_topic
from lossrun.report.reference.pictures import print_loss, print_rates
from lossrun.report.reference.topics import topics

EVERYTHING = [
    *((component.name, kind) for kind, components in COMPONENTS.items() for component in components),
    *((name, "rule") for name in RULES),
    *((name, "diagnosis") for name in DIAGNOSES),
    *((name, "column") for name in COLUMNS),
]
COMPONENT_LIST = [component for components in COMPONENTS.values() for component in components]


def printed(name, kind=None, width=80, encoding="utf-8", terminal=True) -> str:
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="\n")
    console = Console(file=file, width=width, height=50, force_terminal=terminal, _environ={"TERM": "dumb"})
    for topic in topics(name, kind):
        print_topic(console, topic)
    file.seek(0)
    return file.read()


def words(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize(("name", "kind"), EVERYTHING)
def test_everything_is_explained_within_80_columns_of_ascii(name, kind):
    text = printed(name, kind, encoding="ascii")
    assert max(map(len, text.splitlines())) <= 80
    assert text.isascii()
    assert "\\" not in text.replace("'\\t'", "")  # nothing that ASCII lacks was replaced by its code


def test_every_declaration_says_what_there_is_to_explain():
    for loss in COMPONENTS["loss"]:
        assert all((loss.meaning, loss.formula, loss.when, loss.source)), loss.name
    for optimizer in COMPONENTS["optimizer"]:
        assert all((optimizer.meaning, optimizer.formula, optimizer.when, optimizer.source)), optimizer.name
    for schedule in COMPONENTS["schedule"]:  # some are nobody's invention
        assert all((schedule.meaning, schedule.formula, schedule.when)), schedule.name
    for name, rule in RULES.items():
        assert all((rule.meaning, rule.why, *rule.example)), name
        assert rule.example.wrong != rule.example.right, name
    for name, diagnosis in DIAGNOSES.items():
        assert all((diagnosis.meaning, diagnosis.why, diagnosis.remedy)), name
    assert all(component.meaning for component in COMPONENT_LIST)


@pytest.mark.parametrize("component", COMPONENT_LIST, ids=lambda c: f"{c.kind}-{c.name}")
def test_nothing_that_is_declared_is_left_out(component):
    text = words(printed(component.name, component.kind))
    for said in (component.meaning, component.formula, component.when, component.source):
        assert words(said) in text
    assert all(alias.spelling in text for alias in component.aliases)
    for key in component.parameters:
        names = [f"{key.name}.{inner.name}" for inner in key.parameters] if isinstance(key, KeyGroup) else [key.name]
        assert all(name in text for name in names)
        if isinstance(key, Parameter):
            assert words(key.meaning) in text
            assert key.expected in text
            assert not key.aliases or f"also {', '.join(key.aliases)}" in text


def test_rules_and_diagnoses_are_told_in_full():
    for name, rule in RULES.items():
        text = printed(name, "rule")
        assert words(rule.why) in words(text)
        for example in rule.example:
            assert all(words(line) in words(text) for line in example.splitlines())
        assert (f"lint: {{{name}: " in text) == rule.runnable
    for name, diagnosis in DIAGNOSES.items():
        text = words(printed(name, "diagnosis"))
        assert all(words(said) in text for said in (diagnosis.why, diagnosis.remedy, diagnosis.formula))


@pytest.mark.parametrize("component", COMPONENT_LIST, ids=lambda c: f"{c.kind}-{c.name}")
def test_the_lines_to_copy_are_configs(component, tmp_path):
    lines = list(yaml_lines(component))
    assert lines
    for line in lines:
        usual = {"model": "mlp", "loss": "mse", "optimizer": "sgd", "learning_rate": "0.1"}
        usual["dataset"] = "digits" if component.kind == "metric" else "synthetic_regression"
        others = [f"{key}: {value}" for key, value in usual.items() if key != line.partition(":")[0]]
        path = tmp_path / "config.yaml"
        path.write_text("\n".join([*others, line]))
        config = read(path).config
        if component.kind in ("dataset", "model", "loss", "optimizer", "schedule"):
            assert getattr(config, component.kind).name == component.name


def test_a_spelling_says_what_it_brings_along():
    text = words(printed("keras.RMSprop"))
    assert "keras.RMSprop is rmsprop with other defaults" in text
    assert "alpha (rho) 0.9 instead of 0.99, eps (epsilon) 1e-7 instead of 1e-8" in text
    assert "Keras adds epsilon under the root" in text
    assert "Without the prefix, RMSprop does not have them" in text
    assert "optimizer: keras.RMSprop" in text
    assert "with other defaults" not in printed("RMSprop")
    assert "inputs probabilities instead of auto" in words(printed("BCELoss"))


def test_letters_of_a_formula_are_explained_where_they_occur():
    assert "t target; y output; e = y - t, the error; K outputs of a sample" in words(printed("mae"))
    assert "e = y - t" not in printed("hinge")
    # The formula itself says what p is.
    assert "p probability" not in printed("cross_entropy")
    assert "w a weight; g its gradient; rate the learning rate" in words(printed("sgd"))


def test_a_name_of_several_things_means_all_of_them():
    assert [(topic.kind, topic.name) for topic in topics("constant")] == [
        ("schedule", "constant"),
        ("initializer", "constant"),
        ("diagnosis", "constant"),
    ]
    # Components with this name come before those with this other spelling.
    assert [(topic.kind, topic.name) for topic in topics("none")] == [
        ("activation", "none"),
        ("noise", "none"),
        ("schedule", "constant"),
    ]
    assert [topic.kind for topic in topics("constant", "schedule")] == ["schedule"]
    assert [topic.kind for topic in topics("MSELoss", "losses")] == ["loss"]
    text = printed("constant")
    assert all(f"constant  {kind}" in text for kind in ("a schedule", "an initializer", "a diagnosis"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("hubr",), "there is nothing called hubr; did you mean huber (a loss)?"),
        (("adagard",), "did you mean adagrad (an optimizer)?"),
        (("double_activations",), "did you mean double_activation (a rule)?"),
        (("double_softmx",), "did you mean double_softmax (a diagnosis)?"),
        (("keras.RMSprp",), "did you mean RMSprop"),
        (("MeanSquareError",), "another name of mse (a loss)?"),
        (("TripletMarginLoss",), "compares samples with each other"),
        (("qqqqqqqq",), "lossrun list losses"),
        (("huber", "optimizer"), "there is no optimizer called huber; it is a loss"),
        (("huber", "los"), "--kind los: there is no such kind; expected one of loss, optimizer"),
    ],
)
def test_what_is_not_known(arguments, message):
    with pytest.raises(UsageError) as caught:
        topics(*arguments)
    text = str(caught.value)
    assert message in text or (message == "did you mean RMSprop" and "rmsprop (an optimizer)" in text)


@pytest.mark.parametrize(("width", "terminal", "least"), [(160, True, 81), (10_000, False, 81), (40, True, 20)])
def test_lines_are_as_wide_as_one_can_read(width, terminal, least):
    text = printed("huber", width=width, terminal=terminal)
    longest = max(map(len, text.splitlines()))
    assert least <= longest <= min(width, MEASURE)


CURVE = [x / 10 for x in range(-30, 31)]
PICTURE = (
    "mse",
    "error e = output - target",
    [(0.01, 1e-4, 0.02), (100.0, 1e4, -1e-17)],
    [("mse", CURVE, [x * x for x in CURVE]), ("mae", CURVE, [abs(x) for x in CURVE])],
    (0.0, 4.0),
)


@pytest.mark.parametrize("width", [80, 160])
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_a_picture_is_a_table_and_a_drawing(width, encoding):
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="\n")
    console = Console(file=file, width=width, force_terminal=True, no_color=True, _environ={"TERM": "xterm"})
    print_loss(console, *PICTURE)
    file.seek(0)
    text = file.read()
    lines = text.splitlines()
    assert max(map(len, lines)) <= 80
    assert ["100", "10000", "0.000"] in [line.split() for line in lines]
    assert ("⣀" in text) == (encoding == "utf-8")
    assert text.isascii() == (encoding == "ascii")


@pytest.mark.parametrize("terminal", ["dumb", "linux"])
def test_terminals_without_braille_get_ascii(terminal, monkeypatch):
    monkeypatch.setenv("TERM", terminal)
    file = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="\n")
    print_loss(Console(file=file, width=80, force_terminal=True, no_color=True), *PICTURE)
    file.seek(0)
    drawing = file.read()
    assert not any("⠀" <= letter <= "⣿" for letter in drawing)
    assert "* mse" in drawing


def test_a_schedule_is_drawn_from_0_to_its_top():
    file = io.TextIOWrapper(io.BytesIO(), encoding="ascii", newline="\n")
    curves = [("fall", [0.0, 15.0, 30.0], [1.0, 0.5, 0.25]), ("peak", [0.0, 15.0, 30.0], [0.0, 2.0, 0.0])]
    print_rates(Console(file=file, width=80, force_terminal=True, no_color=True), "fall", curves)
    file.seek(0)
    lines = file.read().splitlines()
    assert "run of 30 epochs" in lines[0]
    assert [line.split()[0] for line in lines[2:16] if line[0] != " "] == ["2.0", "1.5", "1.0", "0.5", "0.0"]
    assert max(map(len, lines)) <= 80


def test_a_model_is_shown_layer_by_layer():
    text = printed("lenet")
    assert "layers of lenet5 on mnist (1 x 28 x 28 inputs, 10 outputs)" in text
    assert any(line.split() == ["conv1", "conv", "6", "x", "28", "x", "28", "156"] for line in text.splitlines())


@pytest.mark.parametrize("name", DIAGNOSES)
def test_a_diagnosis_is_found_by_what_else_people_call_it(name):
    for word in DIAGNOSES[name].also:
        assert name in [topic.name for topic in topics(word, "diagnosis")]
        assert word in words(printed(name))


def test_a_misspelt_word_for_a_diagnosis_is_answered_by_its_name():
    with pytest.raises(UsageError, match="did you mean vanishing_gradients, another name of vanishing_gradient"):
        topics("vanishng_gradients")


@pytest.mark.parametrize("name", [*(f"sweep.{option}" for option in SWEEP_OPTIONS), "tune", "halving", "extend"])
def test_an_option_of_the_sweep_block_is_explained_with_the_block(name):
    assert [topic.name for topic in topics(name)] == ["sweep"]

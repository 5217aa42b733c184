import pytest

from lossrun.catalog import COMPONENTS, find, get, nearest_name, why_not
from lossrun.catalog.declaration import Component
from lossrun.catalog.metrics import METRICS
from lossrun.catalog.unsupported import MEANT, NONE_OF_OURS
from lossrun.nearby import nearest

EVERY = [(kind, component) for kind, members in COMPONENTS.items() for component in members]
ALIASES = [(kind, component, alias) for kind, component in EVERY for alias in component.aliases]


def folded(spelling: str) -> str:
    return spelling.replace("_", "").replace("-", "").replace(" ", "").lower()


@pytest.mark.parametrize(("kind", "component"), EVERY, ids=lambda value: getattr(value, "name", value))
def test_every_name_finds_its_component(kind: str, component: Component) -> None:
    spellings = [component.name, component.name.upper(), component.name.replace("_", "-"), folded(component.name)]
    # Without its underscores it may be how a framework writes its own.
    if any(folded(alias.spelling) == folded(component.name) for alias in component.aliases):
        spellings.pop()
    for spelling in spellings:
        found = find(kind, spelling)
        assert found is not None
        assert found.component is component
        assert found.implies == {}
    assert get(kind, component.name) is component


@pytest.mark.parametrize(("kind", "component", "alias"), ALIASES, ids=[alias.spelling for *_, alias in ALIASES])
def test_every_alias_finds_its_component_and_what_it_implies(kind: str, component: Component, alias: object) -> None:
    spelling, implies = alias.spelling, alias.implies  # type: ignore[attr-defined]
    found = find(kind, spelling)
    assert found is not None
    assert found.component is component
    assert found.implies == implies
    for name in implies:
        assert component.parameter(name), f"{spelling} implies {name}, which {component.name} has not"


@pytest.mark.parametrize("kind", COMPONENTS)
def test_no_spelling_means_two_components(kind: str) -> None:
    owners: dict[str, set[str]] = {}
    for component in COMPONENTS[kind]:
        for spelling in (component.name, *(alias.spelling for alias in component.aliases)):
            owners.setdefault(folded(spelling), set()).add(component.name)
    assert {spelling: names for spelling, names in owners.items() if len(names) > 1} == {}


@pytest.mark.parametrize("kind", COMPONENTS)
def test_no_alias_is_given_twice_with_different_conventions(kind: str) -> None:
    implied: dict[str, list[object]] = {}
    for component in COMPONENTS[kind]:
        for alias in component.aliases:
            implied.setdefault(folded(alias.spelling), []).append(alias.implies)
    assert all(conventions.count(conventions[0]) == len(conventions) for conventions in implied.values())


@pytest.mark.parametrize(
    ("kind", "spelling", "name"),
    [
        ("loss", "CrossEntropyError", "cross_entropy"),
        ("loss", "MeanSquareError", "mse"),
        ("loss", "MeanSquaredErr", "mse"),
        ("loss", "MeanAbsolutError", "mae"),
        ("loss", "crossentropy_loss", "cross_entropy"),
        ("loss", "BinaryCrossEntropyLoss", "binary_cross_entropy"),
        ("loss", "BCEWithLogits", "binary_cross_entropy"),
        ("loss", "keras.losses.CategoricalCrossEntropyy", "cross_entropy"),
        ("loss", "hubber", "huber"),
        ("optimizer", "addam", "adam"),
        ("optimizer", "RMSpropp", "rmsprop"),
        ("optimizer", "GradientDecentOptimizer", "sgd"),
        ("dataset", "fashion-mnits", "fashion_mnist"),
        ("schedule", "CosineAnnealing", "cosine"),
        ("model", "lineer", "linear"),
        ("loss", "CE", "cross_entropy"),
        ("loss", "xent", "cross_entropy"),
        ("loss", "logloss", "binary_cross_entropy"),
        ("loss", "least_squares", "mse"),
        ("optimizer", "rms", "rmsprop"),
        ("optimizer", "adam_w", "adamw"),
        ("schedule", "cos", "cosine"),
        ("model", "cnn2d", "cnn"),
        ("model", "dnn", "mlp"),
        ("model", "fc", "mlp"),
        ("model", "logistic", "linear"),
        ("dataset", "mnist_784", "mnist"),
    ],
)
def test_names_that_tutorials_get_wrong(kind: str, spelling: str, name: str) -> None:
    found = find(kind, spelling)
    assert (found.component.name if found else nearest_name(kind, spelling)) == name


@pytest.mark.parametrize("spelling", ["", ".", "keras.", "tf.nn.", "qqqqqq", "a" * 10_000, "ß", "\x00", "own:f"])
def test_nonsense_finds_nothing(spelling: str) -> None:
    for kind in COMPONENTS:
        assert find(kind, spelling) is None


@pytest.mark.parametrize("spelling", ["", "qqqqqq", "a" * 10_000, "\x00", "ß"])
def test_nonsense_is_near_nothing(spelling: str) -> None:
    assert [nearest_name(kind, spelling) for kind in COMPONENTS] == [None] * len(COMPONENTS)


@pytest.mark.parametrize(
    ("spelling", "is_keras"),
    [
        *((name, False) for name in ("binary_cross_entropy", "BINARY-CROSS-ENTROPY", "kl_divergence", "dice", "DICE")),
        *((name, True) for name in ("binary_crossentropy", "BinaryCrossentropy", "binary-crossentropy", "Dice")),
        *((name, True) for name in ("BINARY_CROSSENTROPY", "binarycrossentropy", "KLDivergence", "kldivergence")),
    ],
)
def test_the_same_letters_are_a_frameworks_or_ours_as_they_are_written(spelling: str, is_keras: bool) -> None:
    found = find("loss", spelling)
    assert found is not None
    assert (found.called.get("inputs") == "probabilities") == is_keras


def test_get_knows_canonical_names_alone() -> None:
    with pytest.raises(KeyError):
        get("optimizer", "GradientDescentOptimizer")


def test_the_nearest_candidate_is_a_typing_mistake_away() -> None:
    assert nearest("Label-Smothing", ["inputs", "label_smoothing"]) == "label_smoothing"
    assert nearest("zzz", ["inputs", "label_smoothing"]) is None
    assert nearest("a", []) is None
    # Of two that differ in case alone, the first.
    assert nearest("abc", ["ABC", "abc"]) == "ABC"


@pytest.mark.parametrize(("typed", "meant"), [("adma", "adam"), ("sdg", "sgd"), ("adamx", "adamax")])
def test_letters_in_another_order_are_the_first_guess(typed: str, meant: str) -> None:
    assert nearest_name("optimizer", typed) == meant


def test_loose_words_lead_to_components_and_hide_none() -> None:
    for kind, words in MEANT.items():
        for word, name in words.items():
            assert find(kind, word) is None, word
            assert get(kind, name).name == nearest_name(kind, word) == name
            assert why_not(kind, word) is None, word


def test_what_is_none_of_ours_hides_nothing() -> None:
    for kind, names in NONE_OF_OURS.items():
        for name in names:
            assert find(kind, name) is None, name


@pytest.mark.parametrize("spelling", [s for m in METRICS for s in (m.name, *(alias.spelling for alias in m.aliases))])
def test_every_metric_is_told_apart_from_losses(spelling: str) -> None:
    assert "it is a metric" in (why_not("loss", spelling) or "")
    assert why_not("optimizer", spelling) is None


@pytest.mark.parametrize(
    ("kind", "name", "part"),
    [
        ("optimizer", "nesterov", "{name: sgd, momentum: 0.9, nesterov: true}"),
        ("optimizer", "sgdm", "{name: sgd, momentum: 0.9}"),
        ("schedule", "warmup", "warmup_epochs: 1"),
        ("dataset", "iris", "csv"),
        ("dataset", "CIFAR-10", "npz"),
        ("dataset", "make_moons", "kind: moons"),
        ("loss", "sse", "{name: mse, reduction: sum}"),
    ],
)
def test_what_is_an_option_of_another_component_says_how_to_write_it(kind: str, name: str, part: str) -> None:
    assert part in (why_not(kind, name) or "")

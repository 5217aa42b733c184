"""The words in which a component is declared: parameters with bounds and units, names, tasks.

A declaration is data. Validation, the JSON Schema, `lossrun list`, lint and the docs all read it; nothing here imports
torch, and nothing here says how a component works (that is `components/`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import UnionType
from typing import Any, Final, Literal, TypeAlias, Union, get_args, get_origin

Task: TypeAlias = Literal["regression", "binary", "multiclass", "multilabel"]
TASKS: Final[tuple[Task, ...]] = get_args(Task)
Prediction: TypeAlias = Literal["probabilities", "mean", "log_mean", "mean_and_log_variance"]
CLASS_TASKS: Final[tuple[Task, ...]] = ("binary", "multiclass", "multilabel")
# What a loss of numbers needs of its targets to say something as a metric; `catalog/metrics.py` has the rules.
Scale: TypeAlias = Literal["any", "unit", "counts", "proportion", "logarithm", "direction"]


class Required:
    """The default of a parameter that has none."""

    def __repr__(self) -> str:
        return "required"


REQUIRED: Final = Required()


@dataclass(frozen=True, slots=True)
class Parameter:
    """A leaf of the config tree: one value of a plain type.

    `type` is an ordinary annotation (`int`, `float | Literal["full"]`, `list[int]`); the bounds hold for each number
    in it, the regular expression `pattern` for each string, `form` saying in words what it asks for. A default of None
    means "absent". `spellings`: what other frameworks call some of the values.
    """

    name: str
    type: Any
    default: Any = field(hash=False)  # may be a list
    meaning: str
    unit: str = ""
    above: float | None = None
    at_least: float | None = None
    below: float | None = None
    at_most: float | None = None
    aliases: tuple[str, ...] = ()
    pattern: str = ""
    form: str = ""
    spellings: dict[str, Any] = field(default_factory=dict, hash=False)

    @property
    def expected(self) -> str:
        """What a right value looks like, for messages and listings: 'a number above 0'."""
        return self.form or _describe(self.type, self)

    @property
    def may_be_text(self) -> bool:
        """Whether any text is a value, or an item of one: a name, a path, a column."""
        return str in self._leaves

    @property
    def takes_lists(self) -> bool:
        return any(get_origin(option) is list for option in _options(self.type))

    @property
    def numbers(self) -> Literal["none", "whole", "any"]:
        """Which numbers are values too. Beside text a whole one is a place: of a column in a table without a header."""
        return "any" if float in self._leaves else "whole" if int in self._leaves else "none"

    @property
    def _leaves(self) -> set[Any]:
        """The types of a value, or of the items of a list."""
        return {
            leaf
            for option in _options(self.type)
            for leaf in (_options(get_args(option)[0]) if get_origin(option) is list else {option})
        }


@dataclass(frozen=True, slots=True)
class Nested:
    """A key whose value is another component: a word, or a mapping with a `name`. `many` makes it a list of such.

    `presets` are words that stand for a whole list.
    """

    name: str
    kind: str
    default: Any
    meaning: str
    many: bool = False
    presets: dict[str, list[Any]] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()

    @property
    def expected(self) -> str:
        if not self.many:
            return with_article(self.kind)
        presets = f", or one of {', '.join(self.presets)}" if self.presets else ""
        return f"a list of {self.kind}s{presets}"


Contradiction: TypeAlias = Callable[[Mapping[str, Any]], str]


def no_contradiction(parameters: Mapping[str, Any]) -> str:  # noqa: ARG001
    return ""


@dataclass(frozen=True, slots=True)
class Group:
    """A key whose value is a fixed mapping; a plain value is short for `{short_for: value}`. `contradiction`: what is
    wrong with its values taken together, empty where nothing is."""

    name: str
    parameters: tuple["Key", ...]
    default: Any
    meaning: str
    short_for: str | None = None
    aliases: tuple[str, ...] = ()
    contradiction: Contradiction = no_contradiction

    @property
    def expected(self) -> str:
        return f"a mapping with {', '.join(p.name for p in self.parameters)}"


Key: TypeAlias = Parameter | Nested | Group


@dataclass(frozen=True, slots=True)
class Alias:
    """Another spelling of a component's name, with the parameters that the spelling implies.

    A spelling with a prefix (`keras.Adam`) carries that framework's conventions and is taken only with the prefix.
    `remark`: how that framework's rule differs in more than parameters, one sentence without a full stop.
    `called`: what the framework's own function assumes when it is called without options, and what a config leaves to
    the model and the data: the form of the outputs (`inputs`), how labels are written (`labels`). It holds where the
    function is called from Python.
    """

    spelling: str
    implies: dict[str, Any] = field(default_factory=dict)
    remark: str = ""
    called: dict[str, Any] = field(default_factory=dict)


def also(
    *spellings: str, remark: str = "", called: Mapping[str, Any] | None = None, **implies: Any
) -> tuple[Alias, ...]:
    return tuple(Alias(spelling, implies, remark, dict(called or {})) for spelling in spellings)


def in_keras(
    *spellings: str, remark: str = "", called: Mapping[str, Any] | None = None, **implies: Any
) -> tuple[Alias, ...]:
    """Spellings of Keras that PyTorch does not share: Keras' conventions, with the prefix and without."""
    both = [name for spelling in spellings for name in (spelling, f"keras.{spelling}")]
    return also(*both, remark=remark, called=called, **implies)


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One thing that a config may name.

    `formula`, `when` (to use it, and when not) and `source` are what `lossrun explain` tells; plain text, and in the
    formulas t is a target, y an output, p a probability, e = y - t, w a weight, g its gradient, K the outputs, N the
    samples.
    """

    kind: str
    name: str
    meaning: str
    formula: str = ""
    when: str = ""
    source: str = ""
    parameters: tuple[Key, ...] = ()
    aliases: tuple[Alias, ...] = ()
    tasks: tuple[Task, ...] = TASKS

    def parameter(self, name: str) -> Key | None:
        return next((p for p in self.parameters if p.name == name or name in p.aliases), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss(Component):
    """`accepts`: forms of the model's outputs it can take, the first being the one it prefers.
    `averages_outputs`: a sample's loss is the mean over its K outputs, not one number for all of them together.
    `outputs_per_target`: how many outputs the model needs for each target (gaussian_nll: mean and variance).
    `prediction`: what the outputs become ("probabilities", "mean", the mean from its logarithm, the mean beside the
    logarithm of a variance), or None where the loss gives no such reading.
    `sigmoid`: its probabilities are a sigmoid's, each output for itself, also where the classes exclude each other.
    `targets_at_least`, `targets_at_most`: the regression targets for which it has a meaning.
    `least_targets`: how many numbers a regression target needs at least (cosine_similarity: a vector, so two).
    `divides_by_target`: its errors are in proportion to the target, so that a target of 0 outweighs all others.
    `values`: what a sample's loss can be, at any parameters that a config may give it but weights.
    `resists`: "outliers" where one far target pulls no harder than a near one, its slope staying bounded; "labels"
    where a sample far on the wrong side hardly pulls at all.
    `yardstick`: every run of the task is scored by it; not where another loss gives the same ranking.
    `scale`: the targets of which its value, at its plain parameters, says something: any, or those whose unit is about
    their spread, counts, quantities without a value near 0, quantities above 1, or columns of one unit.
    `units`: of its value: the power of the target's unit ("targets", "targets squared"), "per cent", "nats", or "" for
    a plain number."""

    kind: str = "loss"
    accepts: tuple[str, ...]
    averages_outputs: bool = True
    outputs_per_target: int = 1
    prediction: Prediction | None
    sigmoid: bool = False
    targets_at_least: float | None = None
    targets_at_most: float | None = None
    least_targets: int = 1
    divides_by_target: bool = False
    values: str = "from 0, without bound"
    resists: tuple[Literal["outliers", "labels"], ...] = ()
    yardstick: bool = True
    scale: Scale = "any"
    units: str = ""
    goal: Literal["min", "max"] = "min"


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimizer(Component):
    """`elementwise`: each weight is updated from its own gradient alone, so copies may be stacked.
    `usual_rates`: learning rates outside this range deserve a warning.
    `scales_with_gradient`: its steps are as large as the gradient, so a loss twice as large asks for half the rate;
    the others divide the gradient's size out.
    `full_batch`: its rule makes sense for the gradient of all samples only.
    `keeps`: numbers for each weight that it remembers from step to step, without those that a parameter adds.
    `contradiction`: what is wrong with the parameters taken together, empty where nothing is."""

    kind: str = "optimizer"
    elementwise: bool
    usual_rates: tuple[float, float]
    scales_with_gradient: bool = False
    full_batch: bool = False
    keeps: int = 0
    contradiction: Contradiction = no_contradiction


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule(Component):
    """`depends_on_length`: its rate at a step depends on how many epochs were asked for, unless `over_epochs` says.
    `contradiction`: what is wrong with the parameters taken together, empty where nothing is."""

    kind: str = "schedule"
    depends_on_length: bool = False
    contradiction: Contradiction = no_contradiction

    def follows_the_run(self, parameters: Mapping[str, Any]) -> bool:
        """Whether a run of another length would have other rates, with these parameters."""
        return self.depends_on_length and parameters.get("over_epochs") is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric(Component):
    kind: str = "metric"
    goal: Literal["min", "max"]
    units: str = ""


@dataclass(frozen=True, slots=True)
class Layer:
    """A row of the model's summary: shapes exclude the batch axis, () where none is known. `frozen`: so many of the
    parameters are not trained."""

    name: str
    type: str
    output_shape: tuple[int, ...]
    parameters: int
    frozen: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Model(Component):
    """`layers(parameters, input_shape, output_size)` gives the summary's rows without building the model."""

    kind: str = "model"
    layers: Callable[[dict[str, Any], tuple[int, ...], int], list[Layer]]


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetDeclaration(Component):
    """`task` None: the config or the data say which. `input_shape` and `target_size` are given where they are fixed."""

    kind: str = "dataset"
    task: Task | None = None
    input_shape: tuple[int, ...] | None = None
    target_size: int | None = None
    samples: str = ""


@dataclass(frozen=True, slots=True)
class TargetScale:
    """The regression targets of all parts of a dataset before any corruption, so that each split of it and each run on
    it has the same.

    low, high: least and greatest. least, mean: of their absolute values. whole: all are whole numbers. spreads: the
    smallest and the largest standard deviation of a column that varies. sizes: the smallest and the largest root mean
    square of a column.
    """

    low: float
    high: float
    least: float
    mean: float
    whole: bool
    spreads: tuple[float, float]
    sizes: tuple[float, float]


@dataclass(frozen=True, slots=True)
class DataFacts:
    """What the rest of lossrun needs to know of a dataset before it sees a number of it.

    `target_size`: classes for multiclass, otherwise columns of the target. `train`, `validation`, `test`: samples.
    Of the training targets, None where they have not been looked at: `target_range`, least and greatest;
    `least_magnitude`, the target nearest to 0; `class_counts`, samples of each class (binary: of no and of yes;
    multilabel: with each label); `weights`, least, greatest and sum of the samples' weights (None also where all count
    alike).
    Of a regression's validation and test targets: `held_out_range`, `held_out_magnitude`. `target_scale`: of all parts.
    `held_out_counts`: as `class_counts`, of "validation" and "test", where there are such samples.
    `classes`: their names, () where they have none. `numbered`: a label is the place of its class, also where that has
    a name. `void`: samples left out because their label is ignored and no class.
    """

    task: Task
    input_shape: tuple[int, ...]
    target_size: int
    train: int
    validation: int
    test: int
    target_range: tuple[float, float] | None = None
    least_magnitude: float | None = None
    class_counts: tuple[int, ...] | None = None
    held_out_range: tuple[float, float] | None = None
    held_out_magnitude: float | None = None
    target_scale: TargetScale | None = None
    weights: tuple[float, float, float] | None = None
    classes: tuple[str, ...] = ()
    numbered: bool = True
    void: int = 0
    held_out_counts: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    def class_of(self, label: str | float) -> int | None:
        """The place of the class with that label, as the data write it; None where no class has it.

        1, 1.0 and "1" are one label.
        """
        if str(label) in self.classes:
            return self.classes.index(str(label))
        if (number := as_number(label)) is None:
            return None
        if self.classes and not self.numbered:
            return next((place for place, name in enumerate(self.classes) if as_number(name) == number), None)
        count = 2 if self.task == "binary" else self.target_size
        return int(number) if number in range(count) else None


def as_number(label: str | float) -> float | None:
    """The number that a label is; None for a word."""
    try:
        return float(label)
    except ValueError:
        return None


def with_article(kind: str) -> str:
    """`an optimizer`, `a loss`."""
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


def _options(annotation: Any) -> set[Any]:
    """The types that a value may have, None aside."""
    options = get_args(annotation) if get_origin(annotation) in (UnionType, Union) else (annotation,)
    return {option for option in options if option is not type(None)}


def _describe(annotation: Any, bounds: Parameter) -> str:
    origin = get_origin(annotation)
    if origin is Literal:
        # A word of punctuation would be lost among the commas.
        words = ", ".join(word if str(word)[-1:].isalnum() else repr(word) for word in map(str, get_args(annotation)))
        return f"one of {words}" if len(get_args(annotation)) > 1 else words
    if origin in (UnionType, Union):
        options = [_describe(a, bounds) for a in get_args(annotation) if a is not type(None)]
        return " or ".join(options)
    if origin is list:
        return f"a list, each {_describe(get_args(annotation)[0], bounds)}"
    if annotation in (int, float):
        return ("an integer" if annotation is int else "a number") + _bounds(bounds)
    return {bool: "true or false", str: "a string"}.get(annotation, "a value")


def _bounds(p: Parameter) -> str:
    low = f"above {p.above:g}" if p.above is not None else f"at least {p.at_least:g}" if p.at_least is not None else ""
    high = f"below {p.below:g}" if p.below is not None else f"at most {p.at_most:g}" if p.at_most is not None else ""
    return (" " + " and ".join(part for part in (low, high) if part)).rstrip()

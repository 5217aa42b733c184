"""The words in which a component is declared: its names, parameters and tasks.

A declaration is data. Validation, the JSON Schema, `lossrun list`, lint and the docs all read it; nothing here imports
torch, and nothing here says how a component works (that is `components/`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias, get_args

from lossrun.catalog.parameter import Contradiction, Key, no_contradiction

Task: TypeAlias = Literal["regression", "binary", "multiclass", "multilabel"]
TASKS: Final[tuple[Task, ...]] = get_args(Task)
Prediction: TypeAlias = Literal["probabilities", "mean", "log_mean", "mean_and_log_variance"]
CLASS_TASKS: Final[tuple[Task, ...]] = ("binary", "multiclass", "multilabel")
# What a loss of numbers needs of its targets to say something as a metric; `catalog/metrics.py` has the rules.
Scale: TypeAlias = Literal["any", "unit", "counts", "proportion", "logarithm", "direction"]


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
    `usual_for`: the tasks for which it is the first choice.
    `proper`: no probabilities cost less on average than the true ones.
    `smooths_weighted`: label smoothing spreads the weights of the classes as well, each on its share.
    `metric`: every run of the task is scored by it; not where another loss gives the same ranking.
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
    usual_for: tuple[Task, ...] = ()
    proper: bool = False
    smooths_weighted: bool = False
    metric: bool = True
    scale: Scale = "any"
    units: str = ""
    goal: Literal["min", "max"] = "min"

    @property
    def of_one_class(self) -> bool:
        """Whether its targets are always one class of several, so that a target may be an index."""
        return self.tasks == ("multiclass",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimizer(Component):
    """`elementwise`: each weight is updated from its own gradient alone, so copies may be stacked.
    `usual_rates`: learning rates outside this range deserve a warning.
    `scales_with_gradient`: its steps are as large as the gradient, so a loss twice as large asks for half the rate;
    the others divide the gradient's size out.
    `full_batch`: its rule makes sense for the gradient of all samples only.
    `keeps`: numbers for each weight that it remembers from step to step, without those that a parameter adds.
    `torch_class`: its class in `torch.optim`; "" where torch has none and `components/optimizers/not_in_torch.py` has
    a function of its name.
    `pairs`: parameters of torch's class that take two numbers, by the two declared parameters that hold them.
    `fused_on`: device types on which torch updates all weights in one kernel instead of several per weight.
    `capturable`: torch can count its steps on the GPU, without which a CUDA graph could not hold its update.
    `contradiction`: what is wrong with the parameters taken together, empty where nothing is."""

    kind: str = "optimizer"
    elementwise: bool
    usual_rates: tuple[float, float]
    scales_with_gradient: bool = False
    full_batch: bool = False
    keeps: int = 0
    torch_class: str = ""
    pairs: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    fused_on: tuple[str, ...] = ()
    capturable: bool = False
    contradiction: Contradiction = no_contradiction


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule(Component):
    """`depends_on_length`: its rate at a step depends on how many epochs were asked for, unless `over_epochs` says.
    `contradiction`: what is wrong with the parameters taken together, empty where nothing is."""

    kind: str = "schedule"
    depends_on_length: bool = False
    contradiction: Contradiction = no_contradiction

    @property
    def waits_for_results(self) -> bool:
        """Whether it looks at a metric of the run, so that no formula of the step gives its rate."""
        return self.parameter("metric") is not None

    def follows_the_run(self, parameters: Mapping[str, Any]) -> bool:
        """Whether a run of another length would have other rates, with these parameters."""
        return self.depends_on_length and parameters.get("over_epochs") is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric(Component):
    """`of_probabilities`: it judges probabilities, and neither margins nor outputs merely drawn towards 0 and 1.
    `of_ranks`: it sorts the samples once for each class.
    `by_class`: it is also given for each class by itself.
    `of_several`: what it is called where there are several classes, "" where that is its own name."""

    kind: str = "metric"
    goal: Literal["min", "max"]
    units: str = ""
    of_probabilities: bool = False
    of_ranks: bool = False
    by_class: bool = False
    of_several: str = ""


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
    """`task` None: the config or the data say which. `input_shape`, `target_size`, `count` (samples), `test_count` (of
    an official test part) and `classes` (their names) are given where they are fixed.
    `may_be_bytes`: its inputs may be kept as bytes, a quarter of the memory of other numbers.
    `package`: what has to be installed for it, beside lossrun.
    `reader`: the function of `data/sources/readers.py` that reads it, where that has another name; one serves several.
    """

    kind: str = "dataset"
    task: Task | None = None
    input_shape: tuple[int, ...] | None = None
    target_size: int | None = None
    count: int = 0
    test_count: int = 0
    classes: tuple[str, ...] = ()
    may_be_bytes: bool = False
    package: str = ""
    reader: str = ""

    @property
    def read_by(self) -> str:
        return self.reader or self.name

    @property
    def is_file(self) -> bool:
        """Whether it is a file of the user's, which the config names by its path."""
        return self.parameter("path") is not None

    @property
    def samples(self) -> str:
        """How many samples there are, training and official test part; "" where that is not fixed."""
        return " + ".join(f"{count:,}" for count in (self.count, self.test_count) if count)

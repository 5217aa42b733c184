"""Declare a component: its names, its parameters and the facts that the rest of lossrun reads.

A declaration is data. Validation, the JSON Schema, `lossrun list` and `explain`, the manual, lint, metrics, scripts and
the tests all read it. Nothing here imports torch, and nothing here says how a component works: `components/` does.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias, get_args

from lossrun.catalog.alias import Alias
from lossrun.catalog.parameter import Contradiction, Key, no_contradiction

Task: TypeAlias = Literal["regression", "binary", "multiclass", "multilabel"]
TASKS: Final[tuple[Task, ...]] = get_args(Task)
Prediction: TypeAlias = Literal["probabilities", "mean", "log_mean", "mean_and_log_variance"]
CLASS_TASKS: Final[tuple[Task, ...]] = ("binary", "multiclass", "multilabel")
# What a loss of numbers needs of its targets to say something as a metric; `catalog/metrics.py` has the rules.
Scale: TypeAlias = Literal["any", "unit", "counts", "proportion", "logarithm", "direction"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """Something that a config can name.

    In the formulas t is a target, y an output, p a probability, e = y - t, w a weight, g its gradient, x what a layer
    gives before its activation, K the number of outputs and N the number of samples.

    Attributes:
        kind: "loss", "optimizer", "model" and so on.
        name: The canonical name; also the name of its function.
        meaning: One line for `lossrun list`.
        formula, when, source: Plain text for `lossrun explain`. `when` says when to use it and when not.
        parameters: What a config can set.
        aliases: Other spellings of the name.
        tasks: The tasks it can be used for.
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
        """Return the parameter of that name or alias; None if there is none."""
        return next((p for p in self.parameters if p.name == name or name in p.aliases), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss(Component):
    """A loss, which is also a metric of every run of its tasks.

    Attributes:
        accepts: The forms of outputs that it accepts, the preferred one first.
        averages_outputs: Whether the loss of a sample is the mean over its K outputs, not one value for all of them.
        outputs_per_target: Outputs that the model needs for each target (gaussian_nll: mean and variance).
        prediction: What the outputs become: "probabilities", "mean", the mean from its logarithm, or the mean next to
            the logarithm of a variance. None if the outputs have no such reading, as margins do.
        sigmoid: Whether its probabilities are sigmoids, one for each output, even if the classes are exclusive.
        targets_at_least, targets_at_most: The range of regression targets for which it is defined.
        least_targets: The least number of regression targets that it needs (cosine_similarity: a vector, so 2).
        divides_by_target: Whether it measures relative errors, so that a target of 0 outweighs all others.
        values: The range of a sample's loss, at any parameters except weights.
        resists: "outliers" if the slope stays bounded, so that a far target pulls no harder than a near one; "labels"
            if a sample far on the wrong side hardly pulls at all.
        usual_for: The tasks for which it is the first choice.
        proper: Whether no probabilities have a lower expected loss than the true ones.
        smooths_weighted: Whether label smoothing weights the share of each class by the weight of that class.
        metric: Whether it scores every run of the task; False if another loss gives the same ranking.
        scale: The regression targets about which its value, at its plain parameters, says something: any, or those with
            a unit near their spread, counts, quantities without a value near 0, quantities above 1, or columns of one
            unit.
        units: The unit of its value: "targets", "targets squared", "per cent", "nats", or "" for a plain number.
        goal: Whether lower or higher is better.
    """

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
    values: str = "0 or more"
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
    """An optimizer: a class of `torch.optim`, or a function in `components/optimizers/not_in_torch.py`.

    Attributes:
        elementwise: Whether each weight is updated from its own gradient alone, so that models of several seeds can be
            stacked.
        linear_in_rate: Whether its step is the learning rate times what no rate affects, so that models with learning
            rates and weight decays of their own can be stacked.
        usual_rates: Learning rates outside this range get a warning.
        scales_with_gradient: Whether its steps are as large as the gradient, so that a loss twice as large needs half
            the rate; the others divide by the size of the gradient.
        bounded_steps: Whether a step moves a weight by hardly more than the learning rate, however large its gradient.
        full_batch: Whether its rule makes sense only for the gradient of all samples.
        keeps: Numbers that it stores for each weight, not counting those of `keeps_for`.
        keeps_for: Parameters that make it store one number more for each weight when they are set.
        keeps_late: Whether it can begin to store those in the middle of a run.
        decoupled: The optimizer that differs from it only in that weight decay is applied to the weights; "" if none.
        torch_class: The name of its class in `torch.optim`; "" if torch has none.
        pairs: Parameters of torch's class that take two numbers, with the two declared parameters that hold them.
        fused_on: Device types on which torch updates all weights in one kernel instead of several per weight.
        capturable: Whether torch can count its steps on the GPU, without which a CUDA graph cannot hold its update.
        contradiction: Returns what is wrong with the parameters as a whole, or "".
    """

    kind: str = "optimizer"
    elementwise: bool
    usual_rates: tuple[float, float]
    linear_in_rate: bool = False
    scales_with_gradient: bool = False
    bounded_steps: bool = False
    full_batch: bool = False
    keeps: int = 0
    keeps_for: tuple[str, ...] = ()
    keeps_late: bool = False
    decoupled: str = ""
    torch_class: str = ""
    pairs: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    fused_on: tuple[str, ...] = ()
    capturable: bool = False
    contradiction: Contradiction = no_contradiction


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule(Component):
    """A schedule of the learning rate.

    Attributes:
        depends_on_length: Whether its rate at a step depends on the number of epochs, unless `over_epochs` is set.
        moves: Whether its rate changes at all; a warm-up does not count.
        contradiction: Returns what is wrong with the parameters as a whole, or "".
    """

    kind: str = "schedule"
    depends_on_length: bool = False
    moves: bool = True
    contradiction: Contradiction = no_contradiction

    @property
    def waits_for_results(self) -> bool:
        """Whether it watches a metric of the run, so that no formula of the step gives its rate."""
        return self.parameter("metric") is not None

    def follows_the_run(self, parameters: Mapping[str, Any]) -> bool:
        """Return whether a run of another length would have other rates with these parameters."""
        return self.depends_on_length and parameters.get("over_epochs") is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric(Component):
    """A metric that is not a loss.

    Attributes:
        goal: Whether lower or higher is better.
        units: As in `Loss`.
        of_probabilities: Whether it needs probabilities; margins and outputs trained towards 0 and 1 have none.
        of_decisions: Whether its function takes decisions, true or false for each class, instead of predictions.
        of_ranks: Whether its function takes scores that only their order matters of. It sorts the samples once for
            each class.
        by_class: Whether it is also reported for each class.
        of_several: Its name if there are several classes; "" if that is the same.
        without_items: Why it has no interval over new test items; "" if it has one.
        at_most: Its largest possible value, if 0 is its smallest; None for any other range.
    """

    kind: str = "metric"
    goal: Literal["min", "max"]
    units: str = ""
    of_probabilities: bool = False
    of_decisions: bool = False
    of_ranks: bool = False
    by_class: bool = False
    of_several: str = ""
    without_items: str = ""
    at_most: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Activation(Component):
    """An activation of hidden layers.

    Attributes:
        torch_class: The name of its class in `torch.nn`.
        slope: The share of a change that passes through a layer of it, at most: its largest slope, or 0.5 if about half
            of its units are switched off.
    """

    kind: str = "activation"
    torch_class: str
    slope: float = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Initializer(Component):
    """An initializer of a model's weights.

    Attributes:
        by_size: Whether the spread of a layer's weights follows from the number of its inputs.
        varies: Whether the weights of a layer differ from each other.
    """

    kind: str = "initializer"
    by_size: bool = True
    varies: bool = True


@dataclass(frozen=True, slots=True)
class Layer:
    """A row of the model's summary. Shapes exclude the batch axis; () means unknown.

    `frozen` counts the parameters that are not trained.
    """

    name: str
    type: str
    output_shape: tuple[int, ...]
    parameters: int
    frozen: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Model(Component):
    """A model. `layers(parameters, input_shape, output_size)` returns the summary without building the model."""

    kind: str = "model"
    layers: Callable[[dict[str, Any], tuple[int, ...], int], list[Layer]]


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetDeclaration(Component):
    """A dataset.

    Attributes:
        task: None if the config or the data decide.
        input_shape, target_size: Given if they are fixed.
        count, test_count, classes: Samples, samples of an official test part, and names of the classes, if fixed.
        may_be_bytes: Whether its inputs may be stored as bytes, which take a quarter of the memory of floats.
        largest_input: The number that its inputs are divided by; 0 if they are not.
        mirrors, digests: The folders on the web that have its files, and the published digest of each file.
        package: A package that it needs in addition to lossrun.
        reader: The function in `data/sources/readers.py` that reads it, if that is not its own name; one reader can
            serve several datasets. A dataset without a reader is a function in `data/sources/generated.py`.
    """

    kind: str = "dataset"
    task: Task | None = None
    input_shape: tuple[int, ...] | None = None
    target_size: int | None = None
    count: int = 0
    test_count: int = 0
    classes: tuple[str, ...] = ()
    may_be_bytes: bool = False
    largest_input: float = 0.0
    mirrors: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()
    package: str = ""
    reader: str = ""

    @property
    def read_by(self) -> str:
        """The name of its reader."""
        return self.reader or self.name

    @property
    def is_file(self) -> bool:
        """Whether it is the user's own file, whose path the config gives."""
        return self.parameter("path") is not None

    @property
    def samples(self) -> str:
        """The number of samples as text, training and official test part; "" if it is not fixed."""
        return " + ".join(f"{count:,}" for count in (self.count, self.test_count) if count)

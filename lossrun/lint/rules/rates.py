"""Check the optimizer and its learning rate: how large its steps are."""

from collections.abc import Iterator
from math import sqrt
from typing import Final

from lossrun.catalog import get
from lossrun.catalog.declaration import Schedule
from lossrun.catalog.losses.reductions import adds_up_samples, factor
from lossrun.config.source import Path
from lossrun.lint.rule import Case, Example, Rule, Violation
from lossrun.lint.rules.budget import outputs_move
from lossrun.lint.rules.models import has_hidden_layers

# The highest usual rates are for losses that saturate and have small gradients. With a sum over the batch, such rates
# are rarely intended; with a sum over the outputs alone they often are (the classic quadratic cost, at a rate of 3).
# The errors of a regression, and so its gradients, have no bound.
LARGE_SUM: Final = 1 / 5
LARGE_SUM_OF_ERRORS: Final = 1 / 25
LARGE_SAMPLE_SUM: Final = 4
HIGH_MOMENTUM: Final = 0.98
# A single layer takes larger steps: nothing multiplies them.
SINGLE_LAYER: Final = 10.0
# How far one step may move the outputs.
FAR_IN_A_STEP: Final = 5.0


def _terms(case: Case) -> tuple[int, int]:
    """Return the samples in a batch, and the number of outputs that a sample's loss is the mean over."""
    averaged = case.loss.averages_outputs if case.loss else case.facts.task != "multiclass"
    return min(case.batch_size, case.facts.train), case.facts.target_size if averaged else 1


def summed(case: Case) -> float:
    """Return how many terms of the mean the reduction adds up instead of averaging; 1 for the mean itself."""
    return factor(case.config.loss["reduction"], *_terms(case))


def rate_under_the_mean(case: Case) -> float:
    """Return the learning rate that takes the same steps with `reduction: mean`."""
    scales = case.optimizer is not None and case.optimizer.scales_with_gradient
    return case.config.learning_rate * (summed(case) if scales else 1.0)


def reduction_rate(case: Case) -> Iterator[Violation]:
    """Find a learning rate that is too high for a summed loss."""
    if case.optimizer is None or summed(case) <= 1:
        return
    reduction, rate, acts_like = case.config.loss["reduction"], case.config.learning_rate, rate_under_the_mean(case)
    over_batch = adds_up_samples(reduction)
    high = case.optimizer.usual_rates[1]
    # unusual_rate reports a rate that is too high for the mean already.
    large = LARGE_SUM_OF_ERRORS if case.facts.task == "regression" else LARGE_SUM
    limit = high * (large if over_batch else LARGE_SAMPLE_SUM)
    if acts_like == rate or rate > high or acts_like <= limit:
        return
    batch, outputs = _terms(case)
    fitting = f"{min(rate, limit) / summed(case):.3g}"
    terms = ([f"batches of {batch}"] if over_batch else []) + ([f"{outputs} outputs"] if outputs > 1 else [])
    halved = " and halves that" if reduction.startswith("half") else ""
    yield Violation(
        ("learning_rate",),
        f"{reduction} adds up {' and '.join(terms)}{halved}: {rate:g} acts like {acts_like:.3g} with reduction: mean",
        f"set learning_rate: {fitting}, which acts like {min(rate, limit):g} there, or set loss.reduction: mean",
        (f"learning_rate={fitting}",),
    )


def unusual_rate(case: Case) -> Iterator[Violation]:
    """Find a learning rate that is unusual for the optimizer."""
    if case.optimizer is None:
        return
    low, high = case.optimizer.usual_rates
    if case.optimizer.bounded_steps and not has_hidden_layers(case):
        high *= SINGLE_LAYER
    # For a summed loss, either the rate itself or the rate for the mean may be usual.
    least, most = sorted((case.config.learning_rate, rate_under_the_mean(case)))
    # A rate that is high elsewhere is not high where a step hardly moves the outputs.
    moved = outputs_move(case, case.config.learning_rate) if case.optimizer.bounded_steps else None
    if most < low or (least > high and (moved is None or moved > FAR_IN_A_STEP)):
        # If the steps have a bounded size, a slightly smaller rate is small enough.
        usual = f"{high / 10 if case.optimizer.bounded_steps and most > high else sqrt(low * high):.0e}"
        yield Violation(
            ("learning_rate",),
            f"{case.config.learning_rate:g} is far {'below' if most < low else 'above'} the usual range for "
            f"{case.optimizer.name} ({low:g} to {high:g})",
            f"watch the loss in the first epochs: it may {'not change' if most < low else 'explode'}; a usual rate is "
            f"{float(usual):g}",
            (f"learning_rate={float(usual):g}",),
        )


def momentum_rate(case: Case) -> Iterator[Violation]:
    """Find a momentum near 1 with a learning rate that is too high for it."""
    if case.optimizer is None or not case.optimizer.scales_with_gradient:
        return
    parameters = case.config.optimizer.parameters
    momentum, dampening = parameters.get("momentum", 0.0), parameters.get("dampening", 0.0)
    if momentum < HIGH_MOMENTUM:
        return
    rate, high = rate_under_the_mean(case), case.optimizer.usual_rates[1]
    # Equal gradients add up to 1 / (1 - momentum) times one of them.
    acts_like = rate * (1 - dampening) / (1 - momentum)
    if rate <= high < acts_like:
        yield Violation(
            ("optimizer", "momentum"),
            f"with momentum {momentum:g}, steps in the same direction grow to {1 / (1 - momentum):.3g} times their "
            f"size: {case.config.learning_rate:g} acts like {acts_like:.3g}",
            "set optimizer.momentum: 0.9, or a smaller learning_rate",
            ("optimizer.momentum=0.9",),
        )


def nesterov(case: Case) -> Iterator[Violation]:
    """Find Nesterov momentum without momentum."""
    if _needs_momentum(case):
        yield Violation(
            ("optimizer", "nesterov"),
            "Nesterov momentum needs a momentum above 0 and a dampening of 0",
            "set optimizer.momentum: 0.9, or remove nesterov",
            ("optimizer.momentum=0.9",),
        )


def _needs_momentum(case: Case) -> bool:
    parameters = case.config.optimizer.parameters
    plain = case.optimizer is not None and bool(parameters.get("nesterov")) and "dampening" in parameters
    return plain and not (parameters["momentum"] and not parameters["dampening"])


def contradiction(case: Case) -> Iterator[Violation]:
    """Find parameters of the optimizer or the schedule that contradict each other."""
    if case.optimizer and not _needs_momentum(case):
        yield from _contradicted(("optimizer",), case.optimizer.contradiction(case.config.optimizer.parameters))
    schedule = case.config.schedule
    declared = get("schedule", schedule.name)
    assert isinstance(declared, Schedule)
    yield from _contradicted(("schedule",), declared.contradiction(schedule.parameters))


def _contradicted(path: Path, wrong: str) -> Iterator[Violation]:
    if wrong:
        reason, _, fix = wrong.partition("; ")
        yield Violation(path, reason, fix or "change one of them")


def noisy_signs(case: Case) -> Iterator[Violation]:
    """Find an optimizer for full batches that gets small ones."""
    if case.optimizer and case.optimizer.full_batch and case.batch_size < case.facts.train:
        yield Violation(
            ("optimizer",),
            f"{case.optimizer.name} uses the signs of the gradient of all {case.facts.train} samples; in batches of "
            f"{case.batch_size} they change by chance",
            "set batch_size: full, or use rmsprop, the similar optimizer for batches",
            ("batch_size=full",),
        )


_LINE: Final = "dataset: synthetic_regression\n"
_BLOBS: Final = "dataset: synthetic_classification\nloss: cross_entropy\n"

RATE_RULES: Final[dict[str, Rule]] = {
    "reduction_rate": Rule(
        check=reduction_rate,
        explains=True,
        severity="warn",
        meaning="The learning rate must suit the reduction of the loss, if the optimizer's steps grow with the loss.",
        why="A sum over a batch of 32 has 32 times the gradient of the mean, so sgd needs 1/32 of the learning rate. "
        "Adam and similar optimizers divide by the gradient's size, so it makes no difference to them.",
        example=Example(
            f"{_LINE}loss: {{name: mse, reduction: sum}}\noptimizer: sgd\nlearning_rate: 0.1",
            f"{_LINE}loss: {{name: mse, reduction: sum}}\noptimizer: sgd\nlearning_rate: 0.003",
        ),
    ),
    "unusual_rate": Rule(
        check=unusual_rate,
        explains=True,
        severity="warn",
        meaning="The learning rate must be in the usual range for the optimizer.",
        why="Usual rates depend on the optimizer: 0.1 is usual for sgd, but diverges with adam; 0.001 is usual for "
        "adam, but changes nothing with adadelta.",
        example=Example(
            f"{_BLOBS}optimizer: adam\nlearning_rate: 0.5",
            f"{_BLOBS}optimizer: adam\nlearning_rate: 0.001",
        ),
    ),
    "momentum_rate": Rule(
        check=momentum_rate,
        explains=True,
        severity="warn",
        meaning="A momentum near 1 needs a small learning rate.",
        why="Steps in the same direction grow to 1 / (1 - momentum) times their size: 10 times at 0.9, 100 times at "
        "0.99.",
        example=Example(
            f"{_BLOBS}optimizer: {{name: sgd, momentum: 0.99}}\nlearning_rate: 0.1",
            f"{_BLOBS}optimizer: {{name: sgd, momentum: 0.9}}\nlearning_rate: 0.1",
        ),
    ),
    "nesterov": Rule(
        check=nesterov,
        runnable=False,
        meaning="Nesterov momentum needs a momentum above 0 and no dampening.",
        why="Nesterov momentum looks ahead along the momentum. Without it, or with dampening, torch raises an error.",
        example=Example(
            f"{_BLOBS}optimizer: {{name: sgd, nesterov: true}}\nlearning_rate: 0.1",
            f"{_BLOBS}optimizer: {{name: sgd, nesterov: true, momentum: 0.9}}\nlearning_rate: 0.1",
        ),
    ),
    "contradiction": Rule(
        check=contradiction,
        runnable=False,
        meaning="The parameters of an optimizer or a schedule must agree with each other.",
        why="Each value may be valid while the combination is not, such as one number where two are needed.",
        example=Example(
            f"{_BLOBS}optimizer: {{name: adam, betas: [0.9]}}\nlearning_rate: 0.001",
            f"{_BLOBS}optimizer: {{name: adam, betas: [0.9, 0.999]}}\nlearning_rate: 0.001",
        ),
    ),
    "noisy_signs": Rule(
        check=noisy_signs,
        explains=True,
        severity="warn",
        meaning="An optimizer for the gradient of all samples needs batch_size: full.",
        why="rprop lengthens a step while the sign of the gradient stays the same. From batch to batch, signs change "
        "by chance, so the steps shrink to 0.",
        example=Example(
            f"{_LINE}loss: mse\noptimizer: rprop\nlearning_rate: 0.01\nbatch_size: 32",
            f"{_LINE}loss: mse\noptimizer: rprop\nlearning_rate: 0.01\nbatch_size: full",
        ),
    ),
}

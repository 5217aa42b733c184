"""Rules on the optimizer and its learning rate: what a step amounts to."""

from collections.abc import Iterator
from typing import Final

from lossrun.catalog import get
from lossrun.catalog.declaration import Schedule
from lossrun.catalog.losses.reductions import adds_up_samples, factor
from lossrun.config.source import Path
from lossrun.lint.rule import Case, Example, Rule, Violation

# The largest rates that are usual are for losses that saturate, whose gradients are small. A sum over the batch is
# hardly ever meant to go so far; a sum over the outputs alone often is (the classic quadratic cost, at a rate of 3).
# Errors of a regression have no bound, and their gradients none.
LARGE_SUM: Final = 1 / 5
LARGE_SUM_OF_ERRORS: Final = 1 / 25
LARGE_SAMPLE_SUM: Final = 4
HIGH_MOMENTUM: Final = 0.98
# adamw's own. L2 penalties for adam are a tenth of it and less.
DECAY_OF_WEIGHTS: Final = 1e-2


def _terms(case: Case) -> tuple[int, int]:
    """Samples in a batch, and the outputs that a sample's loss is the mean over."""
    averaged = case.loss.averages_outputs if case.loss else case.facts.task != "multiclass"
    return min(case.batch_size, case.facts.train), case.facts.target_size if averaged else 1


def summed(case: Case) -> float:
    """How many terms of the mean the reduction adds up instead of averaging them; 1 for the mean itself."""
    return factor(case.config.loss["reduction"], *_terms(case))


def rate_under_the_mean(case: Case) -> float:
    """The learning rate that would take the same steps under `reduction: mean`."""
    scales = case.optimizer is not None and case.optimizer.scales_with_gradient
    return case.config.learning_rate * (summed(case) if scales else 1.0)


def reduction_rate(case: Case) -> Iterator[Violation]:
    if case.optimizer is None or summed(case) <= 1:
        return
    reduction, rate, acts_like = case.config.loss["reduction"], case.config.learning_rate, rate_under_the_mean(case)
    over_batch = adds_up_samples(reduction)
    high = case.optimizer.usual_rates[1]
    # A rate that is too high as it stands is unusual_rate's to tell.
    large = LARGE_SUM_OF_ERRORS if case.facts.task == "regression" else LARGE_SUM
    limit = high * (large if over_batch else LARGE_SAMPLE_SUM)
    if acts_like == rate or rate > high or acts_like <= limit:
        return
    batch, outputs = _terms(case)
    terms = ([f"batches of {batch}"] if over_batch else []) + ([f"{outputs} outputs"] if outputs > 1 else [])
    halved = " and halves that" if reduction.startswith("half") else ""
    yield Violation(
        ("learning_rate",),
        f"{reduction} adds up {' and '.join(terms)}{halved}: {rate:g} acts like {acts_like:.3g} under reduction: mean",
        f"set learning_rate: {min(rate, limit) / summed(case):.3g}, which acts like {min(rate, limit):g} there; or "
        "loss.reduction: mean",
    )


def unusual_rate(case: Case) -> Iterator[Violation]:
    if case.optimizer is None:
        return
    low, high = case.optimizer.usual_rates
    # Of a loss that is summed, the rate as it stands or as under the mean may be the usual one.
    least, most = sorted((case.config.learning_rate, rate_under_the_mean(case)))
    if most < low or least > high:
        yield Violation(
            ("learning_rate",),
            f"{case.config.learning_rate:g} is far {'below' if most < low else 'above'} what {case.optimizer.name} is "
            f"usually given ({low:g} to {high:g})",
            "look at the first epochs: a loss that does not move, or that explodes, is the rate's doing",
        )


def momentum_rate(case: Case) -> Iterator[Violation]:
    if case.optimizer is None or not case.optimizer.scales_with_gradient:
        return
    parameters = case.config.optimizer.parameters
    momentum, dampening = parameters.get("momentum", 0.0), parameters.get("dampening", 0.0)
    if momentum < HIGH_MOMENTUM:
        return
    rate, high = rate_under_the_mean(case), case.optimizer.usual_rates[1]
    # Gradients that agree add up to 1 / (1 - momentum) of one.
    acts_like = rate * (1 - dampening) / (1 - momentum)
    if rate <= high < acts_like:
        yield Violation(
            ("optimizer", "momentum"),
            f"a momentum of {momentum:g} lets steps that agree grow by {1 / (1 - momentum):.3g}: "
            f"{case.config.learning_rate:g} acts like {acts_like:.3g}",
            "set optimizer.momentum: 0.9, or a smaller learning_rate",
        )


def coupled_decay(case: Case) -> Iterator[Violation]:
    parameters = case.config.optimizer.parameters
    if case.optimizer is None or parameters.get("decoupled_weight_decay") is not False:
        return
    decay = parameters["weight_decay"]
    if decay >= DECAY_OF_WEIGHTS:
        other = ", or optimizer: adamw" if case.optimizer.name == "adam" else ""
        yield Violation(
            ("optimizer", "weight_decay"),
            f"{case.optimizer.name} adds the decay of {decay:g} to the gradient and then divides its size out, so it "
            "is no decay of the weights",
            f"set optimizer.decoupled_weight_decay: true{other}; or a weight_decay of 1e-4 if the L2 penalty is meant",
        )


def nesterov(case: Case) -> Iterator[Violation]:
    if _needs_momentum(case):
        yield Violation(
            ("optimizer", "nesterov"),
            "Nesterov momentum needs a momentum above 0 and a dampening of 0",
            "set optimizer.momentum: 0.9, or remove nesterov",
        )


def _needs_momentum(case: Case) -> bool:
    parameters = case.config.optimizer.parameters
    plain = case.optimizer is not None and bool(parameters.get("nesterov")) and "dampening" in parameters
    return plain and not (parameters["momentum"] and not parameters["dampening"])


def contradiction(case: Case) -> Iterator[Violation]:
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
    if case.optimizer and case.optimizer.full_batch and case.batch_size < case.facts.train:
        yield Violation(
            ("optimizer",),
            f"{case.optimizer.name} goes by the signs of the gradient of all {case.facts.train} samples; those of "
            f"{case.batch_size} turn by chance",
            "set batch_size: full, or use rmsprop, its kin for batches",
        )


_LINE: Final = "dataset: synthetic_regression\n"
_BLOBS: Final = "dataset: synthetic_classification\nloss: cross_entropy\n"

RATE_RULES: Final[dict[str, Rule]] = {
    "reduction_rate": Rule(
        check=reduction_rate,
        severity="warn",
        meaning="The learning rate fits the reduction of the loss, where the optimizer's steps grow with the loss.",
        why="A sum over a batch of 32 has 32 times the gradient of the mean, so plain descent wants a 32nd of the "
        "rate. Adam and its kin divide the size out and do not mind.",
        example=Example(
            f"{_LINE}loss: {{name: mse, reduction: sum}}\noptimizer: sgd\nlearning_rate: 0.1",
            f"{_LINE}loss: {{name: mse, reduction: sum}}\noptimizer: sgd\nlearning_rate: 0.003",
        ),
    ),
    "unusual_rate": Rule(
        check=unusual_rate,
        severity="warn",
        meaning="The learning rate lies within what the optimizer is usually given.",
        why="Rates differ by optimizer: 0.1 is ordinary for sgd and explodes with adam; 0.001 is ordinary for adam and "
        "stands still with adadelta.",
        example=Example(
            f"{_BLOBS}optimizer: adam\nlearning_rate: 0.5",
            f"{_BLOBS}optimizer: adam\nlearning_rate: 0.001",
        ),
    ),
    "momentum_rate": Rule(
        check=momentum_rate,
        severity="warn",
        meaning="A momentum near 1 comes with a small learning rate.",
        why="Steps that agree add up to 1 / (1 - momentum) of one: ten at 0.9, a hundred at 0.99.",
        example=Example(
            f"{_BLOBS}optimizer: {{name: sgd, momentum: 0.99}}\nlearning_rate: 0.1",
            f"{_BLOBS}optimizer: {{name: sgd, momentum: 0.9}}\nlearning_rate: 0.1",
        ),
    ),
    "coupled_decay": Rule(
        check=coupled_decay,
        severity="warn",
        meaning="A weight decay as large as adamw's is applied to the weights.",
        why="Plain Adam adds it to the gradient and then divides by the gradient's size: weights with large gradients "
        "hardly decay, those with small ones decay at the full learning rate (Loshchilov and Hutter 2019).",
        example=Example(
            f"{_BLOBS}optimizer: {{name: adam, weight_decay: 0.01}}\nlearning_rate: 0.001",
            f"{_BLOBS}optimizer: {{name: adamw, weight_decay: 0.01}}\nlearning_rate: 0.001",
        ),
    ),
    "nesterov": Rule(
        check=nesterov,
        runnable=False,
        meaning="Nesterov's look ahead has a momentum to look along.",
        why="Without momentum there is nothing ahead, and with dampening the formula is another; torch refuses both.",
        example=Example(
            f"{_BLOBS}optimizer: {{name: sgd, nesterov: true}}\nlearning_rate: 0.1",
            f"{_BLOBS}optimizer: {{name: sgd, nesterov: true, momentum: 0.9}}\nlearning_rate: 0.1",
        ),
    ),
    "contradiction": Rule(
        check=contradiction,
        runnable=False,
        meaning="The parameters of an optimizer or a schedule agree with each other.",
        why="Each may be in its own bounds and the whole still be impossible, such as two decays where one is given.",
        example=Example(
            f"{_BLOBS}optimizer: {{name: adam, betas: [0.9]}}\nlearning_rate: 0.001",
            f"{_BLOBS}optimizer: {{name: adam, betas: [0.9, 0.999]}}\nlearning_rate: 0.001",
        ),
    ),
    "noisy_signs": Rule(
        check=noisy_signs,
        severity="warn",
        meaning="An optimizer made for the gradient of all samples gets batch_size: full.",
        why="rprop lengthens a step while the sign of the gradient stays. From batch to batch signs turn by chance, "
        "and steps shrink to nothing.",
        example=Example(
            f"{_LINE}loss: mse\noptimizer: rprop\nlearning_rate: 0.01\nbatch_size: 32",
            f"{_LINE}loss: mse\noptimizer: rprop\nlearning_rate: 0.01\nbatch_size: full",
        ),
    ),
}

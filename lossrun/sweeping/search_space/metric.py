"""Choose the metric that a learning rate, or another tuned value, is chosen by."""

from lossrun.catalog.metric_names import meant
from lossrun.catalog.metrics import PRIMARY_METRICS
from lossrun.experiment import Experiment
from lossrun.lint.rule import Case
from lossrun.lint.rules.watching import columns, why_not_watched
from lossrun.sweeping.search_space.space import Space


def tuning_metric(space: Space, experiment: Experiment) -> tuple[str, str]:
    """Return the metric that tunes an experiment, and why it cannot; "" where it can."""
    assert space.tuning is not None
    name, problem = metric_for_tuning(experiment, space.tuning.metric)
    several = [one.key for one in space.alternatives if len(one.values) > 1]
    keys = [*several, *(span.key for span in space.spans)]
    changing = [key for key in keys if key.partition(".")[0] == "loss"]
    if name == "val_loss" and changing:
        another = columns(experiment.facts, experiment.config)[-1]
        text = f"val_loss means something else for each {changing[0]}; tune by another metric, such as {another}"
        return name, text
    return name, problem


def metric_for_tuning(experiment: Experiment, asked: str | None) -> tuple[str, str]:
    """Return the metric that chooses a learning rate, and why it cannot; "" where it can.

    `asked`: what the config says; None for the primary metric of the task.
    """
    facts, config = experiment.facts, experiment.config
    known = columns(facts, config)
    usual = [f"val_{name}" for name in PRIMARY_METRICS[facts.task]]
    name = next((one for one in usual if one in known), "val_loss") if asked is None else meant(asked, known, "val_")
    return name, "; ".join(why_not_watched(name, Case.of(config, facts)) or ())

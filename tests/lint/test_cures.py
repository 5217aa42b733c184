"""What a rule says to do is done, word for word: then the rule is silent, and the config trains."""

from math import isfinite
from pathlib import Path

import pytest

from lossrun.config import from_mapping
from lossrun.config.reader import parse
from lossrun.data import known_facts
from lossrun.errors import ConfigError
from lossrun.experiment import Experiment, load_experiment
from lossrun.lint.check import violations
from lossrun.lint.rules import RULES
from lossrun.records import history
from lossrun.training.events import EpochRecord
from lossrun.training.loop import train
from lossrun.training.starting.prepare import prepare
from lossrun.training.starting.start import begin
from tests.lint.test_examples import REST

# Rules whose fix only the user can know: which classes to weigh, which metric to watch, which samples to hold out.
ONLY_THE_USER_KNOWS = {
    "class_weights",
    "compared_metric",
    "contradiction",
    "leaked_target",
    "missing_class",
    "nothing_counts",
    "nothing_varies",
    "repeated_samples",
    "watched_metric",
}


def experiment(fragment: str, directory: Path, *settings: str) -> Experiment:
    given, _ = parse(fragment, "example")
    return load_experiment(from_mapping({**REST, "epochs": 3, **given}, directory, settings), directory)


@pytest.mark.parametrize("name", RULES)
def test_the_cure_is_named_and_cures(name: str, tmp_path: Path) -> None:
    given, _ = parse(RULES[name].example.wrong, "example")
    reading = from_mapping({**REST, "epochs": 3, **given}, tmp_path)
    try:
        found = load_experiment(reading, tmp_path).lint
        cures = {warning.cure for warning in found if warning.rule == name}
    except ConfigError:
        dataset = reading.config.dataset
        # An error is raised before the data's facts can be had: those of the right example have the same targets.
        right, known = experiment(RULES[name].example.right, tmp_path), known_facts(dataset.name, dataset.parameters)
        both = [facts for facts in (right.facts, known) if facts]
        cures = {one.cure for facts in both for one in violations(reading, facts).get(name, ())}
    assert (cures <= {()}) == (name in ONLY_THE_USER_KNOWS)
    settings = [setting for cure in cures for setting in cure]
    cured = from_mapping({**REST, "epochs": 3, **given}, tmp_path, settings) if settings else None
    healthy = load_experiment(cured, tmp_path) if cured else experiment(RULES[name].example.right, tmp_path)
    assert name not in {warning.rule for warning in healthy.lint}
    with begin(prepare(healthy), tmp_path) as session:
        for event in train(session, lambda: None):
            if isinstance(event, EpochRecord) and event.epoch == 3:
                break
    assert all(isfinite(row["train_loss"]) for row in history.read(session.run.history_path).rows)

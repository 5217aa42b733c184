"""Train a config, and judge what lossrun says of it: what it finds, where, and whether its cure cures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from lossrun.catalog.diagnoses import DIAGNOSES
from lossrun.config import from_mapping
from lossrun.config.reader import parse
from lossrun.errors import DivergedError
from lossrun.experiment import load_experiment
from lossrun.health.floors import floors
from lossrun.records import ledger
from lossrun.training.events import EpochRecord
from lossrun.training.loop import train
from lossrun.training.starting.prepare import prepare
from lossrun.training.starting.start import begin

# The share of the best constant's loss that a model must get below to have learned something.
LEARNED = 0.9


@dataclass(frozen=True)
class Told:
    """A rule or a diagnosis that fired, with its cure."""

    name: str
    cure: tuple[str, ...]
    text: str = ""


@dataclass(frozen=True)
class Outcome:
    """A run and what was said of it.

    Attributes:
        warnings: The linter's, before the run.
        findings: The diagnoses of the run that are not harmless.
        loss: The last train_loss; infinity if the run diverged.
        constant: The loss of the best constant output.
    """

    warnings: Sequence[Told]
    findings: Sequence[Told]
    loss: float
    constant: float

    @property
    def told(self) -> list[Told]:
        return [*self.warnings, *self.findings]

    @property
    def names(self) -> list[str]:
        return [told.name for told in self.told]

    @property
    def cure(self) -> tuple[str, ...]:
        """All settings that were advised. Of several for one key the last one holds."""
        return tuple({one.partition("=")[0]: one for told in self.told for one in told.cure}.values())

    @property
    def is_healthy(self) -> bool:
        return not self.findings and self.loss < LEARNED * self.constant


def trained(raw: Mapping[str, Any], directory: Path, data_dir: Path, *settings: str) -> Outcome:
    """Train a config with all lint errors turned into warnings."""
    experiment = load_experiment(from_mapping({**raw, "lint": "warn"}, directory, settings), data_dir)
    loss, said = inf, dict[str, str]()
    with TemporaryDirectory() as runs, begin(prepare(experiment), Path(runs)) as session:
        constant = floors(session.replicas[0], session.output_spec, session.config).constant
        try:
            for event in train(session, lambda: None):
                if isinstance(event, EpochRecord):
                    loss = event.rows[0]["train_loss"]
                    said |= {finding.name: finding.text for finding in event.findings}
        except DivergedError:
            loss = inf
        events = [event for event in ledger.read(session.run.ledger_path) if "diagnosis" in event]
    findings = [
        Told(event["diagnosis"], tuple(event.get("cure", ())), said.get(event["diagnosis"], ""))
        for event in events
        if not DIAGNOSES[event["diagnosis"]].harmless
    ]
    return Outcome([Told(one.rule, one.cure, one.text) for one in experiment.lint], findings, loss, constant)


def config_of(path: Path) -> dict[str, Any]:
    raw, _ = parse(path.read_text(encoding="utf-8"), path.name)
    return dict(raw)

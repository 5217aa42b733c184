"""Define rules: what they check, and what they find."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

from lossrun.catalog import DataFacts, get
from lossrun.catalog.declaration import Loss, Optimizer
from lossrun.config import Config
from lossrun.config.resolve import loss_declaration
from lossrun.config.source import Path

Severity: TypeAlias = Literal["error", "warn"]


@dataclass(frozen=True, slots=True)
class Case:
    """A resolved config with the facts of its data.

    Attributes:
        loss: The declaration of the loss; None for the user's own loss.
        optimizer: The declaration of the optimizer; None for the user's own optimizer.
    """

    config: Config
    facts: DataFacts
    loss: Loss | None
    optimizer: Optimizer | None

    @classmethod
    def of(cls, config: Config, facts: DataFacts) -> "Case":
        declared = None if config.optimizer.is_plugin else get("optimizer", config.optimizer.name)
        assert declared is None or isinstance(declared, Optimizer)
        return cls(config, facts, loss_declaration(config.loss), declared)

    @property
    def output(self) -> str:
        """The activation of the last layer; `none` for logits and raw values."""
        return str(self.config.model["output"])

    @property
    def batch_size(self) -> int:
        """The samples in a full batch, which may be more than there are."""
        size = self.config.batch_size
        return self.facts.train if size == "full" else size

    @property
    def takes_standardize(self) -> bool:
        """Whether the dataset has the key `standardize`, which the user's own dataset does not have."""
        return "standardize" in self.config.dataset.parameters

    @property
    def targets_are_standardized(self) -> bool:
        standardize = self.config.dataset.parameters.get("standardize")
        return self.facts.task == "regression" and bool(standardize and standardize["targets"])


@dataclass(frozen=True, slots=True)
class Violation:
    """A violation of a rule.

    Attributes:
        path: The key to blame.
        reason: What is wrong, in one sentence.
        fix: What to do.
        cure: A fix that `fix` names, as settings for --set; () where no setting can fix it.
    """

    path: Path
    reason: str
    fix: str
    cure: tuple[str, ...] = ()


class Example(NamedTuple):
    """Two fragments of YAML: one that breaks the rule, and the same one fixed."""

    wrong: str
    right: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule.

    Attributes:
        check: Yields the violations.
        meaning: What the rule demands.
        why: What happens if it is broken.
        runnable: Whether a config that breaks it can still be run, for example to show the mistake to a class.
        explains: Whether breaking it explains that a run does not learn.
    """

    check: Callable[[Case], Iterator[Violation]]
    meaning: str
    why: str
    example: Example
    severity: Severity = "error"
    runnable: bool = True
    explains: bool = False

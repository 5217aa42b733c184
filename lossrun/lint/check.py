"""Apply all rules to a config: return the warnings, or raise one error with everything that has to be fixed."""

from collections.abc import Mapping
from dataclasses import dataclass

from lossrun.catalog import DataFacts
from lossrun.config import SourcedConfig, resolve
from lossrun.errors import Problem
from lossrun.lint.rule import Case, Rule, Violation
from lossrun.lint.rules import RULES
from lossrun.nearby import nearest


@dataclass(frozen=True, slots=True)
class LintWarning:
    """A warning about a config.

    Attributes:
        rule: The name of the rule.
        text: The message, with the place in the config.
        cure: See `Violation`.
    """

    rule: str
    text: str
    cure: tuple[str, ...] = ()


def check(reading: SourcedConfig, facts: DataFacts) -> list[str]:
    """Apply all rules and return the texts of the warnings.

    Raises:
        ConfigError: With all errors, if there are any.
    """
    return [warning.text for warning in check_splits(reading, {0: facts})]


def check_splits(reading: SourcedConfig, splits: Mapping[int, DataFacts]) -> list[LintWarning]:
    """Apply all rules if seeds have different splits.

    Each rule is reported once, with the values of the first split that breaks it; if the splits differ, with that
    split's seed and the number of the others.

    Args:
        splits: {seed: the facts of its data}.
    """
    each = {seed: _warnings(reading, facts) for seed, facts in splits.items()}
    warnings: list[tuple[Problem, LintWarning]] = []
    for name in dict.fromkeys(name for found in each.values() for name in found):
        broken = {seed: found[name] for seed, found in each.items() if name in found}
        seed, first = next(iter(broken.items()))
        same = all(each[other].get(name) == first for other in each)
        where = "" if same else f"seed {seed}" + (f" and {len(broken) - 1} more of {len(each)}" * (len(broken) > 1))
        for found in first:
            reason = f"{found.reason} (split of {where})" if where else found.reason
            problem = reading.source.problem(found.path, f"{reason}; {found.fix} [{name}]")
            warnings.append((problem, LintWarning(name, problem.text, found.cure)))
    return [warning for _, warning in sorted(warnings, key=lambda one: one[0])]


def violations(reading: SourcedConfig, facts: DataFacts) -> dict[str, list[Violation]]:
    """Return {rule: what it found}, whatever the severity of the rules."""
    case = Case.of(resolve(reading.config, facts), facts)
    found = {name: list(rule.check(case)) for name, rule in RULES.items()}
    return {name: each for name, each in found.items() if each}


def _warnings(reading: SourcedConfig, facts: DataFacts) -> dict[str, list[Violation]]:
    """Return {rule: what it found} for warnings; raise ConfigError for errors."""
    lint = reading.config.lint
    errors = _unknown_rules(reading)
    warnings: dict[str, list[Violation]] = {}
    for name, found in violations(reading, facts).items():
        severity = _severity(name, RULES[name], lint)
        if severity == "error":
            errors += [reading.source.problem(one.path, f"{one.reason}; {one.fix} [{name}]") for one in found]
        elif severity != "off":
            warnings[name] = found
    if errors:
        raise reading.source.error(errors)
    return warnings


def _severity(name: str, rule: Rule, lint: object) -> str:
    """Return the rule's severity in the config; a config that cannot run at all stays an error."""
    if not rule.runnable:
        return rule.severity
    if isinstance(lint, dict):
        return str(lint.get(name, rule.severity))
    return "warn" if lint == "warn" else rule.severity


def _unknown_rules(reading: SourcedConfig) -> list[Problem]:
    lint = reading.config.lint
    unknown = [name for name in lint if name not in RULES] if isinstance(lint, dict) else []
    problems = []
    for name in unknown:
        near = nearest(name, list(RULES))
        hint = f"did you mean {near}?" if near else "expected one of " + ", ".join(RULES)
        problems.append(reading.source.problem(("lint", name), f"there is no such lint rule; {hint}", at_key=True))
    return problems

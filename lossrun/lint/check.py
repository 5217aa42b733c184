"""All rules over one config: warnings to show, or an error that holds everything that must be mended."""

from lossrun.catalog import DataFacts, nearest
from lossrun.config import Reading, resolve
from lossrun.config.source import Problem
from lossrun.lint.rule import Case, Rule
from lossrun.lint.rules import RULES


def check(reading: Reading, facts: DataFacts) -> list[str]:
    """The warnings. Raises ConfigError with all errors, where there are any."""
    config = resolve(reading.config, facts)
    case = Case.of(config, facts)
    errors = _unknown_rules(reading)
    warnings: list[Problem] = []
    for name, rule in RULES.items():
        severity = _severity(name, rule, config.lint)
        if severity == "off":
            continue
        for found in rule.check(case):
            problem = reading.source.problem(found.path, f"{found.reason}; {found.fix} [{name}]")
            (errors if severity == "error" else warnings).append(problem)
    if errors:
        raise reading.source.error(errors)
    return [problem.text for problem in sorted(warnings)]


def _severity(name: str, rule: Rule, lint: object) -> str:
    """The rule's severity as the config has it; what could not run at all stays an error."""
    if not rule.runnable:
        return rule.severity
    if isinstance(lint, dict):
        return str(lint.get(name, rule.severity))
    return "warn" if lint == "warn" else rule.severity


def _unknown_rules(reading: Reading) -> list[Problem]:
    lint = reading.config.lint
    unknown = [name for name in lint if name not in RULES] if isinstance(lint, dict) else []
    problems = []
    for name in unknown:
        near = nearest(name, list(RULES))
        hint = f"did you mean {near}?" if near else "known: " + ", ".join(RULES)
        problems.append(reading.source.problem(("lint", name), f"there is no such rule; {hint}", at_key=True))
    return problems

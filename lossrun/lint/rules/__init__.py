"""Collect all rules by their names, which a config's `lint:` uses.

Each rule checks a resolved config and the facts of its data, and yields what it finds: the key, the reason in one
sentence, and the fix. A mistake that would silently give wrong results is an error; what is only unusual is a warning.
"""

from typing import Final

from lossrun.lint.rule import Rule
from lossrun.lint.rules.budget import BUDGET_RULES
from lossrun.lint.rules.class_losses import CLASS_LOSS_RULES
from lossrun.lint.rules.course import COURSE_RULES
from lossrun.lint.rules.decay import DECAY_RULES
from lossrun.lint.rules.inputs import INPUT_RULES
from lossrun.lint.rules.models import MODEL_RULES
from lossrun.lint.rules.outputs import OUTPUT_RULES
from lossrun.lint.rules.rates import RATE_RULES
from lossrun.lint.rules.targets import TARGET_RULES
from lossrun.lint.rules.watching import WATCHING_RULES, columns, metrics
from lossrun.lint.rules.weights import WEIGHT_RULES

__all__ = ["RULES", "columns", "metrics"]

RULES: Final[dict[str, Rule]] = {
    **OUTPUT_RULES,
    **CLASS_LOSS_RULES,
    **TARGET_RULES,
    **INPUT_RULES,
    **WEIGHT_RULES,
    **WATCHING_RULES,
    **RATE_RULES,
    **DECAY_RULES,
    **COURSE_RULES,
    **BUDGET_RULES,
    **MODEL_RULES,
}

"""Say which seeds may be trained as one computation, from the config and the shapes alone."""

from typing import Final

from lossrun.catalog import DataFacts, get
from lossrun.catalog.declaration import Optimizer
from lossrun.config import Config
from lossrun.lint.size import layers

# Weights of one seed. Beyond it a lone model's matrices keep the cores busy already, and stacking them gains nothing
# (tests/bench/README.md). A GPU has room for more.
MOST_WEIGHTS: Final = 40_000


def why_not_stacked(config: Config, facts: DataFacts, *, own_rates: bool, on_gpu: bool) -> str:
    """Return why seeds of these runs must be trained one after the other; "" if they may be stacked.

    Args:
        config: Resolved.
        own_rates: Whether they may have different learning rates or weight decays.
    """
    if config.step == "eager":
        return "step: eager"
    own = (("a", "model", config.model), ("a", "loss", config.loss), ("an", "optimizer", config.optimizer))
    for article, kind, choice in own:
        if choice.is_plugin:
            return f"{article} {kind} of your own"
    optimizer = get("optimizer", config.optimizer.name)
    assert isinstance(optimizer, Optimizer)
    if not optimizer.elementwise:
        return f"{config.optimizer.name} looks at whole weight matrices"
    if own_rates and not optimizer.linear_in_rate:
        return f"each seed has its own learning rate, and {config.optimizer.name} is not linear in it"
    rows = layers(config, facts)
    if config.precision == "bf16" and any(row.type == "batch_norm" for row in rows):
        return "torch cannot batch batch norm in bfloat16"
    if on_gpu:
        return ""
    if any(row.type == "conv" for row in rows):
        return "convolutions keep the cores busy"
    count = sum(row.parameters - row.frozen for row in rows)
    return f"{count:,} weights keep the cores busy" if count > MOST_WEIGHTS else ""


def even_sizes(count: int, most: int) -> tuple[int, ...]:
    """Divide `count` things into as few parts as possible, of at most `most` each; sizes differ by at most one."""
    parts = -(-count // most)
    whole, rest = divmod(count, parts)
    return (whole + 1,) * rest + (whole,) * (parts - rest)

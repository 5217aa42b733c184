"""Read the default parameters of losses from the catalogue."""

from lossrun.catalog import get
from lossrun.catalog.parameter import Parameter


def plain(loss: str, parameter: str) -> float:
    """Return the declared default of a loss's parameter."""
    declared = get("loss", loss).parameter(parameter)
    assert isinstance(declared, Parameter)
    return float(declared.default)

"""The layers of a model as rows: name, type, output shape and number of parameters."""

from collections.abc import Sequence
from typing import Final

from lossrun.catalog.declaration import Layer
from lossrun.report.layout.text_table import Column, TextTable

HEADS: Final = ("layer", "type", "output", "parameters")


def layer_rows(layers: Sequence[Layer]) -> list[tuple[str, str, str, str]]:
    """Return a row for each layer and one for the total; shapes are without the batch axis.

    If some parameters are not trained, two more rows say how many are.
    """
    total, frozen = sum(layer.parameters for layer in layers), sum(layer.frozen for layer in layers)
    sums = {"total": total} | ({"trained": total - frozen, "not trained": frozen} if frozen else {})
    return [
        *(
            (layer.name, layer.type, " x ".join(map(str, layer.output_shape)), f"{layer.parameters:,}")
            for layer in layers
        ),
        *((name, "", "", f"{count:,}") for name, count in sums.items()),
    ]


def layer_table(title: str, layers: Sequence[Layer]) -> TextTable:
    """Return the rows as a table."""
    names, types, shapes, counts = zip(*layer_rows(layers), strict=True)
    return TextTable(
        title,
        Column(HEADS[0], names, right=False),
        (Column(HEADS[1], types, right=False), Column(HEADS[2], shapes), Column(HEADS[3], counts)),
    )

"""Let a result show itself: as text by `print`, and with real tables as the value of a notebook's cell."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


class Shown:
    """A result that shows itself as `draw` prints it. A notebook asks for HTML first, and for text otherwise."""

    __slots__ = ()

    def draw(self, console: "Console") -> None:
        """Print the result, as the command does."""
        raise NotImplementedError

    def __repr__(self) -> str:
        from lossrun.report.layout.console import printed

        return printed(self.draw)

    def _repr_html_(self) -> str:
        from lossrun.report.html.notebook import to_html
        from lossrun.report.layout.text_table import pieces

        return to_html(pieces(self.draw))

"""Draw curves as text: dots of braille with a mark on each curve, or plain ASCII. They need no colour."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from math import ceil, floor, isfinite, log10
from typing import Final, NamedTuple, TypeAlias

from rich.cells import cell_len
from rich.text import Text

# A name, and as many ys as xs. The curve has a gap where y is NaN or infinity.
Series: TypeAlias = tuple[str, Sequence[float], Sequence[float]]
# The lowest and the highest ys around a curve, as many as it has xs.
Band: TypeAlias = tuple[Sequence[float], Sequence[float]]

_Limits: TypeAlias = tuple[float, float]
_Point: TypeAlias = tuple[float, float]
_Cell: TypeAlias = tuple[int, int]  # column, row from the top

# The bit of each dot of a braille character (2 x 4 dots, from U+2800), by column and row from the top.
_BITS: Final = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
_BLANK: Final = 0x2800
_MARKS: Final = "●○■□▲△◆◇"
_ASCII_MARKS: Final = "*o+x#@%&"
MARKS: Final = len(_MARKS)  # with more curves, marks repeat
_BAND_DOTS: Final = 0x01 | 0x20  # two of the eight dots of a cell: lighter than any line
_BAND_ASCII: Final = ":"
_COLOURS: Final = ("cyan", "yellow", "magenta", "green", "red", "blue")
_MARK_EVERY: Final = 12  # columns between the marks of a curve
_NARROWEST: Final = 1e-300  # span of an axis; parts of a smaller one are rounded to 0
_LABEL_ROOM: Final = 9  # columns that a label of the x axis takes, blanks included


class _Frame(NamedTuple):
    """The range of x and y that is drawn, and the columns and rows of cells that it fills."""

    x_span: _Limits
    y_span: _Limits
    columns: int
    rows: int

    def place(self, point: _Point, across: int = 1, down: int = 1) -> tuple[float, float]:
        """Return the column and the row, from the top, of a point; in dots, if a cell has `across` times `down`."""
        column = _share(point[0], self.x_span) * (self.columns * across - 1)
        return column, (1 - _share(point[1], self.y_span)) * (self.rows * down - 1)


def line_plot(
    series: Sequence[Series],
    *,
    width: int,
    height: int = 15,
    unicode: bool = True,
    y_limits: tuple[float, float] | None = None,
    log_y: bool = False,
    log_x: bool = False,
    x_label: str = "",
    bands: Mapping[int, Band] | None = None,
    per_colour: int = 1,
    marks_at_points: bool = False,
    marks: str = "",
) -> list[Text]:
    """Draw all series into one picture.

    Args:
        width: The most cells in a line.
        height: The rows of the drawing itself, without the axis, its label, and the legend.
        y_limits: The range of y to show; by default all. Curves may leave it.
        log_y: Whether the y axis is logarithmic; values of 0 or below are left out.
        log_x: Whether the x axis is logarithmic; every x must be above 0.
        bands: {number of a series: its band}, shaded below all curves.
        per_colour: How many neighbouring series share a colour.
        marks_at_points: Whether marks show where the points of a curve are; otherwise they are at even distances.
        marks: A character for each series, which the caller explains; "" for the usual marks and a legend.

    Returns:
        The lines of the picture; empty if there is no point to show. Where curves cross, the first series is on top.
    """
    across = [list(map(log10, xs)) if log_x else xs for _, xs, _ in series]
    shown = [(name, _points(xs, ys, log_y)) for (name, _, ys), xs in zip(series, across, strict=True)]
    shaded = {n: [_points(across[n], edge, log_y) for edge in edges] for n, edges in (bands or {}).items()}
    curves = [curve for _, curve in shown] + [edge for edges in shaded.values() for edge in edges]
    points = [point for curve in curves for point in curve if point is not None]
    if not points:
        return []
    low, high = y_limits or (min(y for _, y in points), max(y for _, y in points))
    if y_limits and log_y:
        low, high = log10(low), log10(high)
    y_span = _opened(low, high)
    x_span = _opened(min(x for x, _ in points), max(x for x, _ in points))

    ticks = _log_ticks(y_span) if log_y else _ticks(y_span, max(height // 3, 2))
    labels = {round(_share(value, y_span) * (height - 1)): text for value, text in ticks}
    margin = max((cell_len(text) for text in labels.values()), default=0) + 2
    columns = max(width - margin, 10)
    used = marks or (_MARKS if unicode else _ASCII_MARKS)
    frame = _Frame(x_span, y_span, columns, height)
    canvas = _draw(shown, frame, used, unicode=unicode, per_colour=per_colour, at_points=marks_at_points)
    for number, (lows, highs) in shaded.items():
        shade = Text(chr(_BLANK + _BAND_DOTS) if unicode else _BAND_ASCII, style=f"dim {_colour(number // per_colour)}")
        for cell in _between(lows, highs, frame):
            canvas.setdefault(cell, shade)

    edge, tick_edge, corner = ("│", "┤", "└") if unicode else ("|", "+", "+")
    lines = []
    for row in range(height):
        label = labels.get(height - 1 - row, "")
        head = Text(f"{label:>{margin - 2}} {tick_edge if label else edge}")
        lines.append(Text.assemble(head, *(canvas.get((column, row), " ") for column in range(columns))))
        lines[-1].rstrip()
    rule, below = _x_axis(x_span, columns, unicode=unicode, log=log_x)
    lines += [Text(" " * (margin - 1) + corner + rule), Text((" " * margin + below).rstrip())]
    if x_label:
        room = max(columns - cell_len(x_label), 0)
        lines.append(Text(" " * (margin + room // 2) + x_label))
    if marks:
        return lines
    return lines + _legend([name for name, _ in shown], margin, width, unicode=unicode, per_colour=per_colour)


def _points(xs: Sequence[float], ys: Sequence[float], log_y: bool) -> list[_Point | None]:
    """Return the points of a curve; None for a gap."""

    def shown(y: float) -> float | None:
        if not isfinite(y) or (log_y and y <= 0):
            return None
        return log10(y) if log_y else y

    return [None if (y := shown(value)) is None else (x, y) for x, value in zip(xs, ys, strict=True)]


def _opened(low: float, high: float) -> _Limits:
    """Return a span from low to high; wider if they are (nearly) equal."""
    if high - low >= _NARROWEST:
        return low, high
    room = abs(low) / 2 if abs(low) >= _NARROWEST else 1.0
    return low - room, high + room


def _share(value: float, span: _Limits) -> float:
    return (value - span[0]) / (span[1] - span[0])


def _draw(
    curves: Sequence[tuple[str, Sequence[_Point | None]]],
    frame: _Frame,
    marks: str,
    *,
    unicode: bool,
    per_colour: int,
    at_points: bool,
) -> dict[_Cell, Text]:
    """Return the cells that are not empty."""
    across, down = (2, 4) if unicode else (1, 1)
    dots: dict[_Cell, int] = {}
    owner: dict[_Cell, int] = {}
    paths: list[list[_Cell]] = []
    points: list[list[_Cell]] = []
    for number, (_, curve) in enumerate(curves):
        path: dict[_Cell, None] = {}
        scaled = [None if point is None else frame.place(point, across, down) for point in curve]
        for u, v in _dots(scaled, frame.rows * down - 1):
            cell = (u // across, v // down)
            path[cell] = None
            owner.setdefault(cell, number)
            dots[cell] = dots.get(cell, 0) | (_BITS[u % 2][v % 4] if unicode else 0)
        paths.append(list(path))
        ends = [(round(point[0]) // across, round(point[1]) // down) for point in scaled if point]
        points.append([cell for cell in ends if cell in path])

    def glyph(cell: _Cell) -> str:
        return chr(_BLANK + dots[cell]) if unicode else marks[owner[cell] % len(marks)]

    cells = {cell: Text(glyph(cell), style=_colour(number // per_colour)) for cell, number in owner.items()}
    if unicode:
        for cell, number in (_marked_at(points) if at_points else _marked(paths)).items():
            cells[cell] = Text(marks[number % len(marks)], style=_colour(number // per_colour))
    return cells


def _between(lows: Sequence[_Point | None], highs: Sequence[_Point | None], frame: _Frame) -> Iterator[_Cell]:
    """Yield the cells whose centres are between two curves with the same xs."""
    ends = [(low, high) if low and high else None for low, high in zip(lows, highs, strict=True)]
    for start, stop in pairwise(ends):
        if start is None or stop is None:
            continue
        (low, high), (next_low, next_high) = start, stop
        (u0, _), (u1, _) = frame.place(low), frame.place(next_low)
        for column in range(max(ceil(u0), 0), min(floor(u1), frame.columns - 1) + 1):
            along = (column - u0) / (u1 - u0) if u1 > u0 else 0.0
            bottom, top = (
                frame.place((one[0], one[1] + along * (other[1] - one[1])))[1]
                for one, other in ((low, next_low), (high, next_high))
            )
            for row in range(max(ceil(top), 0), min(floor(bottom), frame.rows - 1) + 1):
                yield column, row


def _dots(points: Sequence[_Point | None], last: int) -> Iterator[_Cell]:
    """Yield the dots on the lines between neighbouring points, and single points, in the rows 0 to `last`."""
    for start, end in zip([None, *points], [*points, None], strict=True):
        first, second = start or end, end or start
        if first is None or second is None:
            continue
        (u0, v0), (u1, v1) = first, second
        # The part of the line, from 0 to 1, that is within the rows: a steep line may go far beyond.
        begin, stop = 0.0, 1.0
        if v0 != v1:
            crossings = sorted(((-0.49 - v0) / (v1 - v0), (last + 0.49 - v0) / (v1 - v0)))
            begin, stop = max(begin, crossings[0]), min(stop, crossings[1])
        elif not -0.49 <= v0 <= last + 0.49:
            continue
        if begin > stop:
            continue
        steps = max(ceil(max(abs(u1 - u0), abs(v1 - v0)) * (stop - begin)), 1)
        for step in range(steps + 1):
            along = begin + (stop - begin) * step / steps
            yield round(u0 + along * (u1 - u0)), round(v0 + along * (v1 - v0))


def _marked(paths: Sequence[Sequence[_Cell]]) -> dict[_Cell, int]:
    """Choose where each curve has its marks: at even distances, next to each other, and at least once."""
    marks: dict[_Cell, int] = {}
    crowd = Counter(cell for path in paths for cell in set(path))
    for number, path in enumerate(paths):
        by_column: dict[int, _Cell] = {}
        for cell in path:
            by_column.setdefault(cell[0], cell)
        # A mark is clearest where no other curve is near.
        offset = (_MARK_EVERY * (2 * number + 1)) // (2 * len(paths))
        wanted = [column for column in by_column if column % _MARK_EVERY == offset] or list(by_column)[:1]
        for column in wanted:
            near = [by_column[c] for c in range(column - 2, column + 3) if c in by_column]
            free = [cell for cell in near if cell not in marks]
            if free:
                marks[min(free, key=lambda cell: (crowd[cell], abs(cell[0] - column)))] = number
    return marks


def _marked_at(points: Sequence[Sequence[_Cell]]) -> dict[_Cell, int]:
    """Mark the points of each curve; where curves share a cell, the one with the fewest marks so far gets it."""
    wanted: dict[_Cell, list[int]] = {}
    for number, cells in enumerate(points):
        for cell in cells:
            wanted.setdefault(cell, []).append(number)
    marks: dict[_Cell, int] = {}
    counts = Counter[int]()
    for cell, numbers in sorted(wanted.items(), key=lambda one: len(one[1])):
        marks[cell] = min(numbers, key=lambda number: counts[number])
        counts[marks[cell]] += 1
    return marks


def _x_axis(span: _Limits, columns: int, *, unicode: bool, log: bool) -> tuple[str, str]:
    """Return the rule with its ticks, and the labels below it."""
    dash, tick = ("─", "┬") if unicode else ("-", "+")
    rule, below = [dash] * columns, ""
    for value, text in _log_ticks(span) if log else _ticks(span, max(columns // _LABEL_ROOM, 2)):
        column = round(_share(value, span) * (columns - 1))
        # Centred below its tick, within the axis, and not touching its neighbour.
        start = min(max(column - len(text) // 2, 0), columns - len(text))
        if start > len(below) or not below:
            rule[column] = tick
            below = below.ljust(start) + text
    return "".join(rule), below


def _ticks(span: _Limits, wanted: int) -> list[tuple[float, str]]:
    """Return round numbers within the span, about as many as wanted, and their texts."""
    rough = (span[1] - span[0]) / wanted
    magnitude = 10.0 ** floor(log10(rough))
    step = next(size * magnitude for size in (1, 2, 5, 10) if size * magnitude >= rough * 0.999)
    decimals = max(0, -floor(log10(step * 1.001)))
    numbers = range(ceil(span[0] / step - 1e-9), floor(span[1] / step + 1e-9) + 1)
    large = max(map(abs, span)) >= 1e6 or decimals > 4
    write: Callable[[float], str] = (lambda v: f"{v:.6g}") if large else (lambda v: f"{v:.{decimals}f}")
    return [(number * step, write(number * step)) for number in numbers]


def _log_ticks(span: _Limits) -> list[tuple[float, str]]:
    """Return powers of ten within the span, for few decades also 2 and 5 times these, or the ends."""
    exponents = range(floor(span[0]), ceil(span[1]) + 1)
    steps = (1, 2, 5) if len(exponents) <= 4 else (1,)
    every = max(len(exponents) // 8, 1)
    values = [exponent + log10(size) for exponent in exponents[::every] for size in steps]
    inside = [value for value in values if span[0] - 1e-9 <= value <= span[1] + 1e-9]
    return [(value, f"{10**value:.3g}") for value in (inside if len(inside) > 1 else span)]


def _legend(names: Sequence[str], margin: int, width: int, *, unicode: bool, per_colour: int) -> list[Text]:
    """Return the mark and name of each series, in as many lines as the width requires."""
    if names == [""]:
        return []
    marks = _MARKS if unicode else _ASCII_MARKS
    lines = [Text(" " * margin)]
    for number, name in enumerate(names):
        entry = Text.assemble((marks[number % len(marks)], _colour(number // per_colour)), f" {name}")
        full = lines[-1].cell_len > margin
        if full and lines[-1].cell_len + 3 + entry.cell_len > width:
            lines.append(Text(" " * margin))
            full = False
        lines[-1] = Text.assemble(lines[-1], "   " if full else "", entry)
    return lines


def _colour(number: int) -> str:
    return _COLOURS[number % len(_COLOURS)]

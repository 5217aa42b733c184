"""Drawings are judged in ASCII, where a cell is one character, and once in braille, dot by dot."""

from math import exp, inf, nan

from hypothesis import example, given
from hypothesis import strategies as st

from lossrun.report.plots.line_plot import line_plot


def ascii_rows(series, width=40, height=10, **options) -> list[str]:
    """The rows of the drawing alone, each from the axis to the right edge."""
    lines = [line.plain for line in line_plot(series, width=width, height=height, unicode=False, **options)]
    edge = lines[height].index("+")
    return [line[edge + 1 :].ljust(width - edge - 1) for line in lines[:height]]


def height_of(rows: list[str], mark: str, column: int) -> int | None:
    """Rows above the axis, 0 the lowest; None where the column holds no such mark."""
    found = [number for number, row in enumerate(reversed(rows)) if row[column] == mark]
    return max(found) if found else None


def test_a_straight_line_rises_from_corner_to_corner():
    rows = ascii_rows([("line", [0, 10], [0, 10])])
    heights = [height_of(rows, "*", column) for column in range(len(rows[0]))]
    assert None not in heights
    assert heights == sorted(heights)
    assert (heights[0], heights[-1]) == (0, 9)


def test_braille_has_two_by_four_dots_to_a_cell():
    lines = line_plot([("", [0, 1, 2, 3], [0, 1, 2, 3])], width=12, height=1)
    # One row of ten cells: the line rises by one dot, of four, every five or so columns.
    cells = lines[0].plain.partition("┤")[2]
    dots = {
        (2 * column + x, y)
        for column, cell in enumerate(cells)
        for (x, y), bit in {
            (0, 0): 0x01, (0, 1): 0x02, (0, 2): 0x04, (1, 0): 0x08, (1, 1): 0x10, (1, 2): 0x20, (0, 3): 0x40,
            (1, 3): 0x80,
        }.items()
        if "⠀" <= cell <= "⣿" and (ord(cell) - 0x2800) & bit
    }  # fmt: skip
    assert dots
    last = 2 * len(cells) - 1
    assert all(abs((3 - y) - 3 * x / last) <= 1 for x, y in dots)


def test_curves_are_told_apart_without_colour():
    xs = list(range(50))
    series = [("up", xs, xs), ("down", xs, xs[::-1]), ("flat", xs, [25.0] * 50)]
    for unicode, marks in ((True, "●○■"), (False, "*o+")):
        lines = [line.plain for line in line_plot(series, width=60, unicode=unicode)]
        drawing, legend = "\n".join(lines[:-1]), lines[-1]
        assert [legend[legend.index(name) - 2] for name in ("up", "down", "flat")] == list(marks)
        assert all(drawing.count(mark) >= 2 for mark in marks)


def test_marks_show_where_the_points_are():
    """Three points at the left edge, in the middle and at the right edge; a gap has no mark."""
    series = [("first", [1, 10, 100], [1.0, 2.0, 3.0]), ("second", [1, 10, 100], [3.0, nan, 1.0])]
    lines = [line.plain for line in line_plot(series, width=60, log_x=True, marks_at_points=True)]
    rule = next(number for number, line in enumerate(lines) if "└" in line)
    edge = lines[rule].index("└") + 1
    columns = {mark: sorted(row.index(mark) - edge for row in lines[:rule] if mark in row) for mark in "●○"}
    last = len(lines[rule]) - 1 - edge
    assert columns["○"] == [0, last]
    first, middle, end = columns["●"]
    assert (first, end) == (0, last)
    assert abs(middle - last / 2) <= 1


def test_points_that_curves_share_are_divided_between_them():
    series = [(name, [0, 1, 2], [0.0, 1.0, 0.0]) for name in ("first", "second", "third")]
    drawing = "".join(line.plain for line in line_plot(series, width=60, marks_at_points=True)[:-1])
    assert [drawing.count(mark) for mark in "●○■"] == [1, 1, 1]


def test_where_curves_meet_the_first_lies_on_top():
    series = [("first", [0, 1], [1, 1]), ("second", [0, 1], [1, 1])]
    rows = ascii_rows(series)
    assert any("*" in row for row in rows)
    assert not any("o" in row for row in rows)


def test_a_curve_leaves_through_the_edge_that_y_limits_set():
    xs = [x / 10 for x in range(-30, 31)]
    rows = ascii_rows([("square", xs, [x * x for x in xs])], width=63, y_limits=(0, 4))
    drawn = [column for column in range(len(rows[0])) if height_of(rows, "*", column) is not None]
    # |x| <= 2 is two thirds of -3 to 3; the columns further out are empty.
    assert abs(len(drawn) / len(rows[0]) - 2 / 3) < 0.06
    assert height_of(rows, "*", drawn[0]) == len(rows) - 1


def test_what_is_not_finite_is_a_gap():
    ys = [0.0] * 4 + [nan, inf] + [1.0] * 4
    rows = ascii_rows([("gap", list(range(10)), ys)], width=42)
    middle = [row[16:22] for row in rows]
    assert all(not cells.strip() for cells in middle)
    assert height_of(rows, "*", 0) == 0
    assert height_of(rows, "*", len(rows[0]) - 1) == 9


def test_a_decay_is_a_straight_line_on_a_logarithmic_axis():
    xs = [x / 5 for x in range(50)]
    curved = ascii_rows([("decay", xs, [exp(-x) for x in xs])], width=50, log_y=True)
    straight = ascii_rows([("decay", xs, [-x for x in xs])], width=50)
    tops = [[height_of(rows, "*", round(share * (len(rows[0]) - 1))) for share in (0, 0.25, 0.5, 0.75, 1)]
            for rows in (curved, straight)]  # fmt: skip
    assert tops[0] == tops[1]
    labels = [line.plain.split()[0] for line in line_plot([("d", xs, [exp(-x) for x in xs])], width=50, log_y=True)]
    assert {"1", "0.1", "0.01", "0.001"} <= set(labels)


def test_ticks_stand_where_their_numbers_belong():
    lines = [line.plain for line in line_plot([("", [0, 10], [0, 10])], width=60, height=11, unicode=False)]
    rule, below = lines[11], lines[12]
    left, right = rule.index("+") + 1, len(rule) - 1
    for number in (0, 2, 4, 6, 8, 10):
        column = left + round((right - left) * number / 10)
        assert rule[column] == "+"
        assert str(number) in below[max(column - 1, 0) : column + 2]
    # Eleven rows for 0 to 10: a row for each whole number.
    assert all(line.startswith(f"{10 - row:>2} ") for row, line in enumerate(lines[:11]) if line[:2].strip())


def test_nothing_to_draw_is_no_line_and_a_lone_point_is_a_dot():
    assert line_plot([("empty", [], []), ("lost", [1.0], [nan])], width=40) == []
    rows = ascii_rows([("point", [3.0], [2.0])])
    assert sum(row.count("*") for row in rows) == 1


def test_a_legend_is_wrapped():
    names = [f"a_rather_long_name_{number}" for number in range(5)]
    lines = line_plot([(name, [0, 1], [0, 1]) for name in names], width=50, height=4)
    assert all(line.cell_len <= 50 for line in lines)
    assert all(any(name in line.plain for line in lines) for name in names)


numbers = st.floats(-1e12, 1e12) | st.sampled_from([nan, inf, -inf, 0.0, 1e-300])


@given(
    series=st.lists(st.lists(st.tuples(st.floats(-1e9, 1e9), numbers), max_size=8), min_size=1, max_size=4),
    width=st.integers(30, 120),
    height=st.integers(1, 20),
    unicode=st.booleans(),
    log_y=st.booleans(),
)
@example(series=[[(0.0, 1.0), (0.0, 400400402.0)]], width=30, height=1, unicode=False, log_y=False)
def test_any_series_fit_the_width(series, width, height, unicode, log_y):
    named = [(f"s{n}", [x for x, _ in points], [y for _, y in points]) for n, points in enumerate(series)]
    lines = line_plot(named, width=width, height=height, unicode=unicode, log_y=log_y)
    assert all(line.cell_len <= width for line in lines)
    assert unicode or all(line.plain.isascii() for line in lines)


def test_a_logarithmic_x_axis_gives_every_decade_the_same_room():
    width = 41
    rows = ascii_rows([("", [0.01, 0.1, 1.0, 10.0], [0, 1, 2, 3])], width=width, log_x=True)
    straight = ascii_rows([("", [-2, -1, 0, 1], [0, 1, 2, 3])], width=width)
    assert rows == straight

import io

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from lossrun.report.layout.text_table import Column, TextTable, packed, print_pairs, print_table


def rendered(table: TextTable, width: int, *, terminal: bool, encoding: str = "utf-8") -> str:
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    print_table(
        Console(file=file, width=width, height=50, force_terminal=terminal, color_system=None, _environ={}), table
    )
    file.seek(0)
    return file.read()


words = st.text("abcdefghij", min_size=1, max_size=30)


@given(st.lists(st.tuples(words, words), min_size=1, max_size=6), st.integers(61, 120))
def test_a_table_fits_the_width_and_shows_every_cell(cells, width):
    columns = tuple(Column(header, (cell,)) for header, cell in cells)
    text = rendered(TextTable("title", Column("key", ("row",)), columns), width, terminal=True)
    assert all(len(line) <= width for line in text.splitlines())
    for header, cell in cells:
        assert header in text
        assert cell in text


def test_every_block_repeats_the_key_column():
    table = TextTable("t", Column("key", ("row",)), tuple(Column(f"column{i}", ("x" * 20,)) for i in range(3)))
    assert [len(block) for block in packed(table, 50)] == [2, 1]
    text = rendered(table, 50, terminal=True)
    assert text.count("row") == 2
    assert "t (continued)" in text


def test_in_a_pipe_nothing_is_cut_wrapped_or_stacked():
    table = TextTable(
        "t", Column("key", ("row",)), tuple(Column(f"column{i}", ("x" * 30,)) for i in range(9)), note="n" * 200
    )
    lines = rendered(table, 10_000, terminal=False).splitlines()
    assert lines[3].count("x" * 30) == 9
    assert lines[-1] == "n" * 200


def test_a_terminal_without_unicode_gets_ascii():
    table = TextTable("t", Column("key", ("row",)), (Column("column", ("cell",)),))
    assert rendered(table, 80, terminal=True, encoding="ascii").isascii()


def test_columns_of_a_group_stay_in_one_block_where_it_holds_them():
    columns = tuple(Column(f"{group}{i}", ("x" * 10,), group=group) for group in "ab" for i in range(2))
    table = TextTable("t", Column("key", ("row",)), columns)
    # Three of the columns would fit in 40 cells: 3 + 3 * (2 + 10).
    assert [[column.header for column in block] for block in packed(table, 40)] == [["a0", "a1"], ["b0", "b1"]]
    assert [len(block) for block in packed(table, 20)] == [1, 1, 1, 1]


def test_a_lone_column_too_wide_is_wrapped_between_words():
    table = TextTable(
        "", Column("key", ("row", "next"), right=False), (Column("c", ("one two three", "x"), right=False),)
    )
    assert rendered(table, 12, terminal=True).splitlines() == [
        "key   c",
        "─" * 12,
        "row   one",
        "      two",
        "      three",
        "next  x",
    ]


def test_pairs_are_aligned_and_a_long_word_gets_a_line_of_its_own():
    file = io.StringIO()
    pairs = [("name", "some words to wrap"), ("hash", "0123456789abcdef")]
    print_pairs(Console(file=file, width=20, height=50, force_terminal=True, color_system=None, _environ={}), pairs)
    assert file.getvalue().splitlines() == ["name  some words to", "      wrap", "hash", "    0123456789abcdef"]

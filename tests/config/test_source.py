import pytest

from lossrun.config.source import MAX_WIDTH, ConfigSource, TextPosition, dotted


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ((), ""),
        (("model", "layers", 0, "kernel"), "model.layers[0].kernel"),
        (("a", 1, 2), "a[1][2]"),
        (("bad\x1b[31m",), "'bad\\x1b[31m'"),
        (("two\nlines", "a"), "'two\\nlines'.a"),
    ],
)
def test_a_path_is_written_with_dots_and_brackets(path: tuple[str | int, ...], text: str) -> None:
    assert dotted(path) == text


@pytest.mark.parametrize(
    ("line", "column", "caret_under"),
    [
        ("abc: def", 5, "d"),
        ("\tx: y", 4, "y"),
        ("a\tb: y", 5, "y"),
        ("é: y", 3, "y"),
        ("x" * 300 + "!" + "z" * 300, 300, "!"),
        ("!" + "z" * 300, 0, "!"),
        ("x" * 300 + "!", 300, "!"),
    ],
)
def test_the_caret_stands_under_its_character(line: str, column: int, caret_under: str) -> None:
    text = ConfigSource("c.yaml", [line]).problem_at(TextPosition(0, column), "wrong").text
    first, shown, caret = text.splitlines()
    assert first == f"c.yaml:1:{column + 1}: wrong"
    assert shown[caret.index("^")] == caret_under
    assert len(shown) <= 4 + MAX_WIDTH


def test_wide_and_combining_characters_count_as_a_terminal_shows_them() -> None:
    # Two columns for each of the two ideographs, one for e with its accent.
    text = ConfigSource("c.yaml", ["中文e\u0301: y"]).problem_at(TextPosition(0, 6), "wrong").text
    assert text.splitlines()[-1] == "    " + " " * (2 + 2 + 1 + 2) + "^"


def test_a_line_cannot_write_to_the_terminal() -> None:
    text = ConfigSource("c.yaml", ["a\x1b[31m: \u202eb"]).problem_at(TextPosition(0, 0), "wrong").text
    assert all(char.isprintable() for line in text.splitlines() for char in line)


def test_a_place_beyond_the_text_is_shown_as_an_empty_line() -> None:
    assert (
        ConfigSource("c.yaml", ["a"]).problem_at(TextPosition(7, 0), "wrong").text == "c.yaml:8:1: wrong\n    \n    ^"
    )


def test_a_problem_falls_back_on_what_was_written() -> None:
    source = ConfigSource(
        "c.yaml", ["a: {b: 1}"], {("a",): TextPosition(0, 0)}, {(): TextPosition(0, 0), ("a",): TextPosition(0, 3)}
    )
    assert source.problem(("a", "c"), "missing").text.startswith("c.yaml:1:4: a.c: missing\n")
    assert source.problem(("x", "y"), "missing").text.startswith("c.yaml:1:1: x.y: missing\n")
    assert source.problem(("a",), "unknown", at_key=True).text.startswith("c.yaml:1:1: a: unknown\n")


def test_without_a_text_only_the_name_is_given() -> None:
    assert ConfigSource("config").problem(("a",), "wrong").text == "config: a: wrong"


def test_an_option_is_named_for_what_it_wrote_and_no_more() -> None:
    source = ConfigSource("config", options={("a", "b"): "--set a.b=1"})
    told = [source.problem(path, "wrong").text for path in [("a", "b"), ("a", "b", "c"), ("a",), ("b",), ()]]
    assert told == [
        "--set a.b=1: a.b: wrong",
        "--set a.b=1: a.b.c: wrong",
        "--set a.b=1: a: wrong",
        "config: b: wrong",
        "config: wrong",
    ]


def test_options_come_before_the_file() -> None:
    source = ConfigSource("c.yaml", ["a: 1"], {}, {("a",): TextPosition(0, 3)}, {("b",): "--set b=1"})
    problems = sorted([source.problem(("a",), "wrong"), source.problem(("b",), "wrong")])
    assert [problem.text.split(":")[0] for problem in problems] == ["--set b=1", "c.yaml"]

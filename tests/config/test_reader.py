import math
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from lossrun.config import reader
from lossrun.config.reader import MAX_BYTES, MAX_DEPTH, MAX_NODES, parse, parse_value
from lossrun.config.source import MAX_PROBLEMS
from lossrun.errors import ConfigError

PARSE = yaml.parse


def parse_in_other_words(text: str, **options: Any) -> Iterator[Any]:
    """PyYAML as a release may be that words its errors differently."""
    try:
        yield from PARSE(text, **options)
    except yaml.MarkedYAMLError as error:
        error.context, error.problem = error.context and "in other words", "something is wrong"
        raise


LOADERS = ("CLoader", "Loader", "CLoader in other words", "Loader in other words")


@pytest.fixture(params=LOADERS)
def loader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both of PyYAML's parsers (the one in C is missing where libyaml is), and whatever the words of their errors."""
    name, _, other_words = request.param.partition(" ")
    if not hasattr(yaml, name):
        pytest.skip("this PyYAML is built without libyaml")
    monkeypatch.setattr(reader, "LOADER", getattr(yaml, name))
    if other_words:
        monkeypatch.setattr(yaml, "parse", parse_in_other_words)
    return str(request.param)


def refused(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse(text, "c.yaml")
    assert len(caught.value.problems) == 1, caught.value.problems
    return caught.value.problems[0]


# YAML 1.2.2, section 10.3.2 (core schema). Where YAML 1.1 differs, the comment says how.
SCALARS: list[tuple[str, Any]] = [
    ("1e-3", 0.001),  # 1.1: a string, because it has no point
    ("1E5", 100000.0),  # 1.1: a string
    ("-1e+3", -1000.0),
    (".5", 0.5),
    ("5.", 5.0),
    ("-.5e1", -5.0),
    ("+1", 1),
    ("-17", -17),
    ("010", 10),  # 1.1: 8
    ("0o17", 15),  # 1.1: a string
    ("0x1F", 31),
    ("1_000", "1_000"),  # 1.1: 1000
    ("1:30", "1:30"),  # 1.1: 90
    ("0b11", "0b11"),  # 1.1: 3
    ("yes", "yes"),  # 1.1: true, as are the next three
    ("no", "no"),
    ("on", "on"),
    ("off", "off"),
    ("y", "y"),
    ("true", True),
    ("True", True),
    ("FALSE", False),
    ("tRUE", "tRUE"),
    ("null", None),
    ("Null", None),
    ("~", None),
    ("", None),
    ("nUll", "nUll"),
    ('"1"', "1"),
    ("'true'", "true"),
    ('""', ""),
    ("2026-11-21", "2026-11-21"),  # 1.1: a date
    ("2026-11-21T01:45:00Z", "2026-11-21T01:45:00Z"),
    ("1e", "1e"),
    (".", "."),
    ("+", "+"),
    ("e3", "e3"),
    ("1.2.3", "1.2.3"),
    ("0o8", "0o8"),
    ("-0x1", "-0x1"),
    ("=", "="),
    ("½", "½"),
    ("١", "١"),  # a digit, but not one of YAML's
]


@pytest.mark.parametrize(("text", "value"), SCALARS)
def test_scalars_are_those_of_yaml_1_2(loader: str, text: str, value: Any) -> None:
    got, _ = parse(f"key: {text}\n", "c.yaml")
    assert got == {"key": value}
    assert type(got["key"]) is type(value)


@pytest.mark.parametrize("text", [".inf", "+.Inf", "-.INF"])
def test_infinities_are_read_for_validation_to_refuse(text: str) -> None:
    assert parse_value(text, "it") == (-math.inf if text.startswith("-") else math.inf)


@pytest.mark.parametrize("text", [".nan", ".NaN", ".NAN"])
def test_nan_is_read_for_validation_to_refuse(text: str) -> None:
    assert math.isnan(parse_value(text, "it"))


def test_numbers_too_long_for_an_integer_are_floats() -> None:
    assert parse_value("1" + "0" * 30, "it") == 1e30
    assert parse_value("9" * 5000, "it") == math.inf  # int() would raise ValueError


@given(st.integers(min_value=-(10**18), max_value=10**18) | st.floats(allow_nan=False, allow_infinity=False))
def test_what_python_writes_for_a_number_is_read_back(number: float) -> None:
    assert parse_value(repr(number), "it") == number


def test_block_flow_and_multiline_values(loader: str) -> None:
    text = "# a comment\n---\na: [1, {b: c}]\nd:\n- e\n- f: |\n    two\n    lines\ng: 'it''s'\n..."
    assert parse(text, "c.yaml")[0] == {"a": [1, {"b": "c"}], "d": ["e", {"f": "two\nlines\n"}], "g": "it's"}


def test_an_empty_text_holds_nothing(loader: str) -> None:
    assert [parse(text, "c.yaml")[0] for text in ("", "# only this\n", "---\n")] == [None] * 3


def test_every_key_and_value_has_its_place() -> None:
    _, source = parse("a: 1\nlong:\n  - x\n  - {y: z}\n", "c.yaml")
    places = {path: (mark.line, mark.column) for path, mark in source.values.items()}
    assert places == {
        (): (0, 0),
        ("a",): (0, 3),
        ("long",): (2, 2),
        ("long", 0): (2, 4),
        ("long", 1): (3, 4),
        ("long", 1, "y"): (3, 8),
    }
    assert {path: (mark.line, mark.column) for path, mark in source.keys.items()} == {
        ("a",): (0, 0),
        ("long",): (1, 0),
        ("long", 1, "y"): (3, 5),
    }


@pytest.mark.parametrize(
    ("text", "beginning"),
    [
        ("a: 1\nb: 2\na: 3", "c.yaml:3:1: a: this key is already in this mapping; keep one of them\n    a: 3\n    ^"),
        ("a: {b: 1, 'b': 2}", "c.yaml:1:11: b: this key is already in this mapping"),
        ("a: *b", "c.yaml:1:4: an alias (*); write the value out"),
        ("*b : a", "c.yaml:1:1: an alias (*)"),
        ("a: &b 1", "c.yaml:1:4: an anchor (&); write"),
        ("&b a: 1", "c.yaml:1:1: an anchor (&)"),
        ("a: !!python/object/apply:os.system [x]", "c.yaml:1:4: a tag (tag:yaml.org,2002:python/object/apply:os."),
        ("a: !!str 1", "c.yaml:1:4: a tag (tag:yaml.org,2002:str); plain values only"),
        ("!x a: 1", "c.yaml:1:1: a tag (!x)"),
        ("a: 1\n<<: *b", "c.yaml:2:5: an alias (*)"),
        ("? [a, b]\n: 1", "c.yaml:1:3: a key that is a list or a mapping; expected a word"),
        ("? {a: b}\n: {c: d}", "c.yaml:1:3: a key that is a list or a mapping"),
        ("a: 1\n---\nb: 2", "c.yaml:2:1: a second document; a config has only one"),
        ("a:\n\tb: 1", "c.yaml:2:1: not YAML: a tab; YAML indents with spaces"),
        ("a: 1\n\tb: 1", "c.yaml:2:1: not YAML: a tab"),
        ("a: [1,\n", "c.yaml:2:1: not YAML: a value is missing here"),
        ("a: [1\n", "c.yaml:1:4: not YAML: this [ is not closed"),
        ("a: {b: 1\nc: 2", "c.yaml:1:4: not YAML: this { is not closed"),
        ("a: 1\nb: 'c\nd: 2", "c.yaml:2:4: not YAML: this quote is not closed"),
        ("a: b: c", "c.yaml:1:5: not YAML: unexpected colon"),
        ("a: @b", "c.yaml:1:4: not YAML: quote a value that begins with this character"),
        ("a: |b", "c.yaml:1:4: not YAML: quote a value that begins with this character"),
        ("a: *", "c.yaml:1:4: not YAML: quote a value that begins with this character"),
        ("a: [1]]", "c.yaml:1:7: not YAML: this ] closes nothing"),
        ("a: ]", "c.yaml:1:4: not YAML: a value is missing here"),
        (
            'a: "C:\\xyz"',
            "c.yaml:1:9: not YAML: an unknown escape: write two backslashes for one, or use single quotes",
        ),
        ("a: - b", "c.yaml:1:4: not YAML: a list item cannot start here: put it on a new line"),
        ('a: "x\n--- y', "c.yaml:1:4: not YAML: this quote is not closed"),
        ("a: 1\n b: 2", "c.yaml:2:3: not YAML: unexpected colon: this line is indented deeper"),
        ("a: 1\nb c\nd: 2", "c.yaml:2:1: not YAML: expected a key here, followed by a colon and a space"),
        ("a: 1\nb:c\nd: 2", "c.yaml:2:1: not YAML: expected a key here"),
        ("a:\n  b: 1\n c: 2", "c.yaml:3:2: not YAML: this line does not continue the block above"),
        ('a: "b" c', "c.yaml:1:8: not YAML: this line does not continue the block above"),
        ("a: 1\nb:\u00a0c\nd: 2", "c.yaml:2:3: not YAML: the character U+00A0 looks like a space but is not"),
        ("a: 1\nb\uff1a c\nd: 2", "c.yaml:2:2: not YAML: the character U+FF1A looks like a colon but is not"),
        ("a: [1, 2\uff3d\nb: 3", "c.yaml:1:9: not YAML: the character U+FF3D looks like the bracket ] but is not"),
        ("a: 1\nb: \x00", "c.yaml:2:4: not YAML: the character U+0000"),
        ("a: 1\r\n\x1b[31m", "c.yaml:2:1: not YAML: the character U+001B"),
        ("a: é\udc80", "c.yaml:1:5: not YAML: the character U+DC80"),
    ],
)
def test_what_is_refused_and_where(loader: str, text: str, beginning: str) -> None:
    assert refused(text).startswith(beginning)


def test_several_mistakes_come_in_file_order() -> None:
    with pytest.raises(ConfigError) as caught:
        parse("a: [*x, !y z]\nb: &c 1\nb: 2", "c.yaml")
    places = [problem.split(": ")[0] for problem in caught.value.problems]
    assert places == ["c.yaml:1:5", "c.yaml:1:9", "c.yaml:2:4", "c.yaml:3:1"]


def test_a_large_text_is_refused_before_it_is_parsed() -> None:
    assert refused("#" * (MAX_BYTES + 1)) == "c.yaml: larger than 256 KiB; a config should fit on a page"
    assert parse("#" * MAX_BYTES, "c.yaml")[0] is None
    # Bytes count, not characters.
    assert "larger" in refused("#" + "é" * (MAX_BYTES // 2))


# Every way to nest, each deeper than any parser's own limit (libyaml's is 1,000 since 0.2.6, met while looking ahead).
NESTED: dict[str, Callable[[int], str]] = {
    "flow lists": lambda depth: "[" * depth + "]" * depth,
    "flow lists, not closed": lambda depth: "[" * depth,
    "flow lists on lines": lambda depth: "[\n" * depth,
    "flow lists behind a key": lambda depth: "a:\n  - " + "[" * depth,
    "flow lists behind values": lambda depth: '["a]", ' * depth,
    "flow mappings": lambda depth: "{a: " * depth + "}" * depth,
    "flow mappings without values": lambda depth: "{" * depth,
    "flow mappings with long keys": lambda depth: "{? " * depth,
    "flow lists and mappings in turn": lambda depth: "[{a: " * (depth // 2),
    "block lists": lambda depth: "- " * depth,
    "block lists on lines": lambda depth: "".join(" " * level + "-\n" for level in range(min(depth, 500))),
    "block mappings": lambda depth: "".join(" " * level + "a:\n" for level in range(min(depth, 500))),
    "block mappings with long keys": lambda depth: "? " * depth,
    "a flow list in block lists": lambda depth: "- " * MAX_DEPTH + "[" * depth,
    "behind text with brackets": lambda depth: "a: 'it''s [ {'\nb: x[[{\nc: | # [\n  [[[\nd: " + "[" * depth,
}


# The greater depths are there for the parsers, not for the words of their errors.
@pytest.mark.parametrize(
    ("loader", "depth"),
    [*((loader, MAX_DEPTH + 2) for loader in LOADERS), ("CLoader", 1_002), ("CLoader", 30_000), ("Loader", 30_000)],
    indirect=["loader"],
)
@pytest.mark.parametrize("kind", NESTED)
def test_depth_is_bounded_while_parsing(loader: str, kind: str, depth: int) -> None:
    problem = refused(NESTED[kind](depth))
    first, line, caret = problem.splitlines()
    assert re.fullmatch(rf"c\.yaml:\d+:\d+: nested deeper than {MAX_DEPTH} levels", first), problem
    assert line[caret.index("^")] in '[{-?a"'


def test_the_depth_error_names_the_first_bracket_too_many(loader: str) -> None:
    assert refused("a:\n  " + "[" * 50_000).startswith(f"c.yaml:2:{3 + MAX_DEPTH}: nested")


@pytest.mark.parametrize("text", ['a: x[[[{{{ # [[[[\nb: "[[[[["', "a: |\n  " + "[" * 50])
def test_brackets_in_text_are_not_depth(loader: str, text: str) -> None:
    assert parse(text, "c.yaml")[0]
    assert "nested" not in refused(text + "\nc: @")


def test_the_depth_that_is_allowed(loader: str) -> None:
    assert parse("[" * MAX_DEPTH + "]" * MAX_DEPTH, "c.yaml")[0]
    assert "nested" in refused("[" * (MAX_DEPTH + 2) + "]" * (MAX_DEPTH + 2))


def test_the_number_of_values_is_bounded() -> None:
    assert f"more than {MAX_NODES} values" in refused("[" + "1," * MAX_NODES + "]")
    assert len(parse("[" + "1," * (MAX_NODES - 1) + "]", "c.yaml")[0]) == MAX_NODES - 1


def test_a_bomb_of_aliases_is_not_built() -> None:
    lines = ["a0: &a0 [x, x]", *(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]" for i in range(1, 100))]
    with pytest.raises(ConfigError) as caught:
        parse("\n".join(lines), "c.yaml")
    assert all("an alias" in p or "an anchor" in p or "mistakes" in p for p in caught.value.problems)


def test_after_many_mistakes_the_rest_is_not_looked_at() -> None:
    with pytest.raises(ConfigError) as caught:
        parse("[" + "*a, " * 50_000 + "]", "c.yaml")
    assert len(caught.value.problems) == MAX_PROBLEMS + 1
    assert caught.value.problems[-1] == f"c.yaml: {MAX_PROBLEMS} mistakes; the rest was not checked"
    assert len(str(caught.value)) < MAX_PROBLEMS * 400


def test_a_value_from_the_command_line_names_its_option_and_no_place() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_value("{name: mse", "--set loss={name: mse")
    assert caught.value.problems == [
        "--set loss={name: mse: not YAML: this { is not closed, or a comma is missing after it"
    ]


@settings(max_examples=100)
@given(
    st.text(alphabet=st.sampled_from("ab:-?[]{}&*!|>'\"%@`#,\n\t\r \x00\x85\u2028\ufeff1.~"), max_size=40) | st.text()
)
def test_no_text_raises_anything_but_config_error(text: str) -> None:
    problems: list[str] = []
    try:
        parse(text, "c.yaml")
    except ConfigError as error:
        problems = error.problems
    assert all(problem.startswith("c.yaml:") for problem in problems)


# 0xFFFFFFFF is not a Unicode character, and 0xD800 is one half of a pair that UTF-8 cannot hold.
@pytest.mark.parametrize("text", ['a: "\\UFFFFFFFF"', 'a: "\\uD800"', '"\\uDFFF": 1', 'a: ["x", "\\U00110000"]'])
def test_escapes_that_are_no_character_are_refused(loader: str, text: str) -> None:
    assert refused(text).startswith("c.yaml:")


def test_what_the_parser_says_is_shown_where_nothing_better_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    class Unheard(yaml.MarkedYAMLError):
        pass

    def fails(*arguments: Any, **options: Any) -> Iterator[Any]:
        raise errors[-1]
        yield

    errors: list[yaml.YAMLError] = []
    monkeypatch.setattr(yaml, "parse", fails)
    place = yaml.Mark("c", 3, 0, 3, None, None)
    for error, told in [
        (Unheard("in a limerick", None, "no rhyme", place), "c.yaml:1:4: not YAML: in a limerick: no rhyme"),
        (Unheard("in a limerick", place, None, None), "c.yaml:1:4: not YAML: in a limerick"),
        (Unheard(), "c.yaml:1:1: not YAML: it cannot be parsed"),
        (yaml.YAMLError("no rhyme\n at all"), "c.yaml: not YAML: no rhyme at all"),
    ]:
        errors.append(error)
        assert refused("a: b").startswith(told)


@pytest.mark.parametrize("sign", ["?", "*", "&", "!", "%", "@", "`", ":"])
@pytest.mark.parametrize("form", ["k: [{}]", "k: [a, {}]", "k: [{}, a]", "k: {}", "k:\n  - {}\n  - a"])
def test_a_sign_with_a_meaning_in_yaml_is_to_be_quoted(sign: str, form: str) -> None:
    with pytest.raises(ConfigError, match="quote") as refused:
        parse(form.format(sign), "c")
    line, column = map(int, refused.value.problems[0].split(":")[1:3])
    # Where it stands, or behind it.
    assert form.format(sign).splitlines()[line - 1][: column + 1].count(sign) == (2 if sign == ":" and line == 1 else 1)
    assert sign in str(parse(form.format(f'"{sign}"'), "c")[0]["k"])

import json
import math
import sys
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lossrun.records.files import strict_json

PLAIN = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text().filter(lambda s: s not in ("nan", "inf", "-inf"))
)
TREES = st.recursive(PLAIN, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=10)


@pytest.fixture(scope="module", autouse=True)
def after_many_numbers() -> None:
    """Only from then on is anything but the standard library asked."""
    assert strict_json.loads_plain(f"[{'0.5,' * 2**20}0.5]") == [0.5] * (2**20 + 1)
    assert "pydantic_core" in sys.modules


def by_the_standard_library(text: str) -> str:
    """What `json` makes of it, as `repr` tells -0.0 from 0.0 and 1 from 1.0; "refused" where it refuses."""

    def refuse(constant: str) -> None:
        raise ValueError(constant)

    try:
        return repr(json.loads(text, parse_constant=refuse))
    except ValueError:
        return "refused"


def by_us(text: str) -> str:
    try:
        return repr(strict_json.loads_plain(text))
    except ValueError:
        return "refused"


@given(TREES)
def test_what_is_written_reads_back_the_same(tree):
    text = strict_json.dumps(tree)
    assert by_the_standard_library(text) != "refused"
    assert repr(strict_json.loads(text)) == repr(tree)


@given(st.text('{}[]:," \n\t0123456789.eE+-truefalsnNIity\\ud8\x00\ufeff'))
def test_any_text_is_read_as_by_the_standard_library_or_refused_as_by_it(text):
    assert by_us(text) == by_the_standard_library(text)


@given(st.from_regex(r"-?[0-9]{1,25}\.[0-9]{1,40}(e[+-]?[0-9]{1,3})?", fullmatch=True))
def test_numbers_of_any_length_are_rounded_as_by_the_standard_library(text):
    assert by_us(text) == by_the_standard_library(text)


# Halfway between two doubles, where a careless reader rounds the wrong way: 2**53 + 1, half of the smallest
# subnormal number (2**-1075) to 17 and to more digits, the largest finite number and what is just beyond it.
@pytest.mark.parametrize(
    "text",
    [
        "9007199254740993.0",
        "2.4703282292062327e-324",
        "2.4703282292062328e-324",
        "1.7976931348623157e308",
        "1.7976931348623159e308",
        "1e400",
        "-0",
        "-0.0",
        '"\\ud800"',
        "[" * 300 + "]" * 300,
    ],
)
def test_the_hard_cases_too(text):
    assert by_us(text) == by_the_standard_library(text) != "refused"


@pytest.mark.parametrize("text", ["NaN", "[1, Infinity]", '{"a": -Infinity}', "nan", "[1,]", "01", "", "[1] 2"])
def test_what_is_no_strict_json_is_refused(text):
    assert by_us(text) == "refused"


def test_what_is_no_plain_value_is_a_type_error():
    with pytest.raises(TypeError):
        strict_json.dumps({"a": object()})
    with pytest.raises(TypeError):
        strict_json.dumps([math.nan, object()])


@pytest.mark.parametrize("word", ["nan", "inf", "-inf"])
def test_a_name_that_looks_like_no_number_stays_text(word: str) -> None:
    """People call runs, labels and columns so; only where numbers stand are these words numbers."""
    event = {
        "event": "started",
        "config": {"name": word, "tags": [word], "dataset": {"target": word, "missing_values": [word]}},
        "changes": {"tags": [[], [word]]},
        "environment": {"classes": [word, "other"]},
        "diagnosis": word,
    }
    assert strict_json.loads(strict_json.dumps(event)) == event
    score = strict_json.loads(strict_json.dumps({"val_loss": word, "recent": [word]}))
    assert isinstance(score["val_loss"], float)
    assert isinstance(score["recent"][0], float)


@pytest.mark.parametrize("value", ["0", "[]", "{}", '""'])
def test_more_values_than_memory_should_hold_are_refused_before_they_are_read(value):
    text = f"[{f'{value},' * strict_json.MOST_VALUES}{value}]"
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=r"more than \d+ values"):
            strict_json.loads_plain(text)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()

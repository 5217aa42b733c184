import json
import math
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lossrun.errors import RunError
from lossrun.records.files import json_lines


@pytest.fixture(params=[1, 7, 64, 65_536])
def _blocks(request, monkeypatch):
    """Blocks shorter than a line, about as long, and longer than the file."""
    monkeypatch.setattr(json_lines, "BLOCK_BYTES", request.param)


@pytest.mark.usefixtures("_blocks")
def test_rows_are_whole_wherever_a_block_ends(tmp_path):
    path = tmp_path / "rows.jsonl"
    rows = [{"number": number, "text": "ä" * number, "value": 0.1 * number} for number in range(50)]
    json_lines.append(path, rows)
    assert json_lines.read(path) == (rows, False)
    path.write_bytes(path.read_bytes()[:-1])
    assert json_lines.read(path) == (rows[:-1], True)


@pytest.mark.usefixtures("_blocks")
def test_non_finite_numbers_come_back_in_the_rows_that_have_them_and_at_any_depth(tmp_path):
    path = tmp_path / "rows.jsonl"
    json_lines.append(path, [{"a": 1.5}, {"a": math.inf, "b": [{"c": -math.inf}]}, {"a": "info"}, {"a": math.nan}])
    *rows, last = json_lines.read(path)[0]
    assert rows == [{"a": 1.5}, {"a": math.inf, "b": [{"c": -math.inf}]}, {"a": "info"}]
    assert math.isnan(last["a"])


@pytest.mark.usefixtures("_blocks")
@pytest.mark.parametrize("place", [0, 1, 60, 100])
def test_after_a_loss_of_power_the_end_may_hold_nul_bytes(tmp_path, place):
    """Where the file system had made the file longer, and not yet written what belongs there."""
    path = tmp_path / "rows.jsonl"
    rows = [{"number": number} for number in range(20)]
    json_lines.append(path, rows)
    durable = len(json_lines.dumps(rows[:10]))
    content = bytearray(path.read_bytes())
    content[durable + place : -1] = bytes(len(content) - 1 - durable - place)
    path.write_bytes(content)
    seen = []
    found = []
    assert json_lines.read_plain(path, found.extend, seen.append)
    assert found == rows[: 10 + content[durable : durable + place].count(b"\n")]
    assert b"".join(seen) == content  # digests are of all that is there


def test_a_last_line_with_nul_bytes_is_incomplete(tmp_path):
    path = tmp_path / "rows.jsonl"
    json_lines.append(path, [{"number": 1}])
    path.write_bytes(path.read_bytes() + b'{"num' + bytes(7) + b"}\n")
    assert json_lines.whole_lines(path) == b'{"number": 1}\n'
    assert json_lines.read(path) == ([{"number": 1}], False)


@pytest.mark.usefixtures("_blocks")
@pytest.mark.parametrize(
    "damage", ["nonsense", "[1]", "1", "", '{"a": NaN}', '{"a": 1}, {"b": 2}', '{"a": 1', '"a": 1}', '{"a": 1}{"a": 1}']
)
def test_the_damaged_line_is_named_by_its_number(tmp_path, damage):
    path = tmp_path / "rows.jsonl"
    lines = [json.dumps({"number": number}) for number in range(1, 100)]
    path.write_text("\n".join([*lines[:41], damage, *lines[42:]]) + "\n")
    with pytest.raises(RunError, match=r"rows\.jsonl, line 42: "):
        json_lines.read(path)


def test_where_in_a_line_the_damage_is(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"a": 1}\n{"a": 1, "b"}\n{"a": 1}\n')
    # A colon was due where the brace is, the line's thirteenth character.
    with pytest.raises(RunError, match=r"rows\.jsonl, line 2: not JSON from column 13 on;"):
        json_lines.read(path)


@given(st.lists(st.dictionaries(st.text(), st.floats(allow_nan=False) | st.integers())), st.integers(1, 100))
def test_the_size_of_a_block_makes_no_difference(tmp_path_factory, rows, size):
    path = tmp_path_factory.mktemp("rows") / "rows.jsonl"
    json_lines.append(path, rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_lines, "BLOCK_BYTES", size)
        assert json_lines.read(path) == (rows, False)


def test_lines_that_end_as_on_windows_are_read(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"a": 1}\r\n{"a": 2}\r\n')
    assert json_lines.read(path) == ([{"a": 1}, {"a": 2}], False)


def test_a_file_that_cannot_be_read_is_a_run_error(tmp_path):
    with pytest.raises(RunError, match="cannot read"):
        json_lines.read(tmp_path)


@pytest.mark.parametrize("content", [b" ", b"\0", b'{"a": 1}, ', "\U0001f600".encode()])
def test_a_line_that_does_not_end_is_refused_after_a_bounded_part(tmp_path, content):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(content * (8 * json_lines.LONGEST_LINE // len(content)))
    tracemalloc.start()
    try:
        with pytest.raises(RunError, match=r"rows\.jsonl, line 1: longer than"):
            json_lines.read(path)
        assert tracemalloc.get_traced_memory()[1] < 1.5 * json_lines.LONGEST_LINE
    finally:
        tracemalloc.stop()

from typing import Any

import pytest

from lossrun.records.provenance.source_code import recorded_source


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ({"a": {"a": "11", "b": "22"}, "c": {"c": "33"}}, {"a": "11", "b": "22"}),
        ({"a": {"a": None, "b": "22"}}, {"b": "22"}),
        ("a 11, c 33", {"a": "11"}),
        ("a unknown", {}),
        ("c 33", {}),
        (None, {}),
        ({}, {}),
    ],
)
def test_every_form_of_a_recorded_source_is_read(code: Any, expected: dict[str, str]) -> None:
    assert recorded_source(code, "a") == expected

"""Declare what preparation.json holds, and check that its parts fit each other."""

from collections.abc import Mapping
from math import isfinite, prod
from typing import Any, Final

from lossrun.catalog.declaration import TASKS
from lossrun.data.samples.preparation import FORMAT
from lossrun.data.tables.cells import THOUSANDS
from lossrun.records.files.shapes import (
    Shape,
    each,
    list_of,
    mapping,
    number,
    numeral,
    one_of,
    or_none,
    pattern,
    record,
    text,
    truth,
    whole,
)

_MOST_INPUTS: Final = 2**40  # of a sample: more do not fit into any memory
_SIZE: Final = whole(1, _MOST_INPUTS)


_number: Final = number()


def _finite(value: Any, key: str) -> str:
    return _number(value, key) or ("" if isfinite(value) else f"{key} is {value}; expected a finite number")


def _spread(value: Any, key: str) -> str:
    return _finite(value, key) or ("" if value > 0 else f"{key} is {value}; expected a number above 0")


def _one_or_each(shape: Shape) -> Shape:
    """Accept one value for all columns, or a list with one for each."""
    return lambda value, key: (list_of(shape) if isinstance(value, list) else shape)(value, key)


_SCALING: Final = record({"mean": _one_or_each(_finite), "std": _one_or_each(_spread)})
_FORM: Final = record(
    {
        "format": whole(1, FORMAT),
        "task": one_of(*TASKS),
        "input_shape": list_of(_SIZE, at_least=1),
        "target_size": _SIZE,
        "classes": list_of(text),
        "input_scaling": _SCALING,
        "target_scaling": _SCALING,
        "columns": list_of(record({"name": text, "categories": or_none(list_of(text, at_least=1))})),
        "means": or_none(list_of(_finite)),
        # The sign between thousands is missing in runs of earlier versions.
        "cells": record(
            {"decimal": one_of(".", ","), "missing_values": list_of(text)}, {"thousands": one_of("", *THOUSANDS)}
        ),
        "delimiter": pattern(r'[^"\r\n]|\\t', "one character"),
        "header": truth,
        "arrays": list_of(text),
        "targets": list_of(text),
        "dtype": one_of("uint8", "float32", "float64"),
        "reach": list_of(_finite, length=2),
    },
    {"width": whole()},
)
_FACTS: Final = record({"task": one_of(*TASKS), "input_shape": list_of(_SIZE, at_least=1), "target_size": _SIZE})
_FILE: Final = record(
    {
        "seeds": each(whole(), numeral),
        "forms": list_of(record({"form": mapping, "wide": truth, "facts": mapping}), at_least=1),
    }
)


def problem(tree: Any) -> str:
    """Return what is wrong with the content of preparation.json, or ""."""
    if found := _FILE(tree, ""):
        return found
    for place, one in enumerate(tree["forms"]):
        key = f"forms[{place}]"
        if found := (
            _FORM(one["form"], f"{key}.form")
            or _FACTS(one["facts"], f"{key}.facts")
            or _misfit(one["form"], one["facts"], f"{key}.form")
        ):
            return found
    beyond = [seed for seed, place in tree["seeds"].items() if place >= len(tree["forms"])]
    return f"seeds.{beyond[0]} is {tree['seeds'][beyond[0]]}; there are {len(tree['forms'])} forms" if beyond else ""


def is_newer(tree: Any) -> bool:
    """Return whether a newer version of lossrun wrote this."""
    try:
        return any(type(one["form"]["format"]) is int and one["form"]["format"] > FORMAT for one in tree["forms"])
    except (TypeError, LookupError):
        return False


def _misfit(form: Mapping[str, Any], facts: Mapping[str, Any], key: str) -> str:
    """Return which two parts of a form contradict each other; "" if none do."""
    shape, size = form["input_shape"], form["target_size"]
    if prod(shape) > _MOST_INPUTS:
        return f"{key}.input_shape is {shape}; expected at most {_MOST_INPUTS} inputs"
    for name in ("task", "input_shape", "target_size"):
        if form[name] != facts[name]:
            return f"{key}.{name} is {form[name]}, but {facts[name]} in the facts"
    inputs = prod(shape) if len(shape) == 1 else 0
    named = sum(1 if column["categories"] is None else len(column["categories"]) for column in form["columns"])
    if form["columns"] and named != inputs:
        return f"{key}.columns has {named} inputs; expected {inputs}"
    if form["means"] is not None and len(form["means"]) != inputs:
        return f"{key}.means has {len(form['means'])} items; expected {inputs}"
    for name, expected in (("input_scaling", inputs), ("target_scaling", size)):
        for part, value in form[name].items():
            if isinstance(value, list) and len(value) != expected:
                return f"{key}.{name}.{part} has {len(value)} items; expected {expected}"
    expected = {"multiclass": size, "binary": 2}.get(form["task"], 0)
    if form["classes"] and expected and len(form["classes"]) != expected:
        return f"{key}.classes has {len(form['classes'])} items; expected {expected}"
    return ""

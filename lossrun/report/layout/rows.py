"""Write rows of plain values as CSV in full precision or as a table, and arrays as a NumPy archive."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lossrun.report.layout.files import save
from lossrun.report.layout.for_programs import csv_text
from lossrun.report.layout.numbers import format_number
from lossrun.report.layout.text_table import Column, TextTable


def rows_to_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Write a header with all keys, in the order in which they first occur, and a line for each row."""
    names = list(dict.fromkeys(key for row in rows for key in row))
    return csv_text(names, ([row.get(name, "") for name in names] for row in rows))


def rows_table(rows: Sequence[Mapping[str, Any]], title: str) -> TextTable:
    """Make a table of rows, with numbers rounded; the first key heads the first column."""
    names = list(dict.fromkeys(key for row in rows for key in row)) or [""]
    columns = [Column(name, tuple(_cell(row.get(name)) for row in rows)) for name in names]
    return TextTable(title, columns[0], tuple(columns[1:]))


def _cell(value: Any) -> str:
    return format_number(value) if isinstance(value, float) else "-" if value is None else str(value)


def save_csv(rows: Sequence[Mapping[str, Any]], path: Path, option: str) -> None:
    """Write rows to a CSV file, as `files.save` does."""
    save(rows_to_csv(rows).encode(), path, option)


def save_npz(arrays: Mapping[str, np.ndarray], path: Path, option: str) -> None:
    """Write arrays to a file as `numpy.savez` does, with `files.save`."""
    buffer = io.BytesIO()
    np.savez(buffer, **dict(arrays))  # type: ignore[arg-type]  # numpy's stub takes every keyword for allow_pickle
    save(buffer.getvalue(), path, option)

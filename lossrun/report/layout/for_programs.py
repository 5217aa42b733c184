"""Write CSV and JSON for other programs, so that text from elsewhere does no harm there, or on a terminal."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any, Final

from lossrun.output import harmless, harmless_json
from lossrun.records.files import strict_json

# A cell that begins with one of these is computed by a spreadsheet, which may even run programs for it.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def csv_text(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Write a header, and a line for each row. Text that a spreadsheet would compute gets an apostrophe in front."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(map(_cell, header))
    writer.writerows(map(_cell, row) for row in rows)
    return buffer.getvalue()


def json_text(value: Any) -> str:
    """Write strict JSON that is readable, and harmless on a terminal."""
    return harmless_json(strict_json.dumps(value, indent=2)) + "\n"


def _cell(value: object) -> object:
    if not isinstance(value, str):
        return value
    text = harmless(value)
    return f"'{text}" if len(value) > 1 and value.startswith(_FORMULA) and not _is_number(value) else text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True

"""Notes about columns that are read without an error, but perhaps not as they are meant."""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import numpy as np

from lossrun.data.tables.cells import as_plain_number, looks_missing, shown
from lossrun.data.tables.inputs import EXACT_IN_DOUBLE
from lossrun.data.tables.table import Table

SHOWN: Final = 3  # pairs of words in a note
# What pandas calls a column without a name, which to_csv writes the index into.
_UNNAMED: Final = re.compile(r"Unnamed: [0-9]+")


def input_notes(table: Table, names: Iterable[str]) -> Iterator[str]:
    """Yield notes about input columns of numbers: codes whose zeros are lost, and an index of the rows."""
    for name in names:
        if table.is_words(name):
            continue
        if code := table.code(name):
            number = code.lstrip("0") or "0"
            yield (
                f"column {name}: {shown(code)} is read as the number {shown(number)}; if such cells are codes, leave "
                f"the column out: drop: [{name}]"
            )
        if _UNNAMED.fullmatch(name) and _numbers_rows(table.columns[name]):
            yield f"column {name} numbers the rows and is one of the inputs; leave it out: drop: ['{name}']"


def missing_words(table: Table, names: Iterable[str]) -> Iterator[str]:
    """Yield notes about words that mean a missing value almost everywhere, in columns of words."""
    for name in filter(table.is_words, names):
        if found := [word for word in dict.fromkeys(table.words(name)) if looks_missing(word)]:
            listed = ", ".join(f'"{word}"' for word in found)
            yield (
                f"column {name}: {listed} {'is' if len(found) == 1 else 'are'} read as any other word; if missing "
                f"values are meant, add missing_values: [{listed}]"
            )


def _numbers_rows(cells: Sequence[str]) -> bool:
    numbers = [as_plain_number(cell) for cell in cells]
    return None not in numbers and bool((np.diff(np.array(numbers, float)) == 1).all())


def written_alike(words: Iterable[str], what: str) -> Iterator[str]:
    """Yield a note about different words that differ only in case, in blanks, or in how a number is written.

    Args:
        what: What the words are, such as "classes".
    """
    by_meaning: dict[str, list[str]] = {}
    for word in sorted(set(words)):
        by_meaning.setdefault(_meaning(word), []).append(word)
    alike = [same for same in by_meaning.values() if len(same) > 1]
    if alike:
        listed = "; ".join(" and ".join(map(repr, same)) for same in alike[:SHOWN]) + "; ..." * (len(alike) > SHOWN)
        yield f"different {what} that look like the same: {listed}; if they are the same, write them in one way"


def _meaning(word: str) -> str:
    """Return what the word has in common with others that are written differently."""
    plain = " ".join(unicodedata.normalize("NFKC", word).casefold().split())
    # 007 is a code, and not the same as 7.
    number = None if plain[:1] == "0" and plain.isdecimal() else as_plain_number(plain)
    return plain if number is None or not abs(number) < EXACT_IN_DOUBLE else repr(number)

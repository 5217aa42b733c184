"""Find numbers in columns of words by what all cells share, such as `26 dogs` and `31 dogs`."""

import re
from collections import Counter
from collections.abc import Mapping
from typing import Final, Literal

from lossrun.data.tables.cells import LONGEST

# At least this share of the cells must be written alike.
MOST: Final = 0.9
_NUMBER: Final = re.compile(r"[0-9]+(?:[.,][0-9]+)*")
_FRACTION: Final = re.compile(r"[.,][0-9]")
# After one of these a number begins, whatever is written before: np.float64(0.5), ="12", [3.5].
_OPENING: Final = "([{\"'“‘«:="


def around_numbers(cells: Mapping[str, int]) -> Literal["one", "several"] | None:
    """Return whether one or several numbers in the same text are all that distinguishes most of the cells.

    Codes are not numbers: A4, class 12, 10.0.0.8. So text that begins with a letter must hold fractions, as pH 7.4, or
    an opening sign just before the number.

    Args:
        cells: How often each cell occurs.
    """
    texts: dict[tuple[str, ...], list[str]] = {}
    amounts: Counter[tuple[str, ...]] = Counter()
    for cell, count in cells.items():
        # A long text is no number, whatever it says.
        text = tuple(_NUMBER.split(cell)) if len(cell) <= LONGEST else (cell,)
        texts.setdefault(text, []).append(cell)
        amounts[text] += count
    if not amounts:
        return None
    text, amount = amounts.most_common(1)[0]
    if amount < MOST * sum(cells.values()) or len(text) < 2 or not any(text):
        return None
    columns = list(zip(*(_NUMBER.findall(cell) for cell in texts[text]), strict=True))
    different = [place for place, numbers in enumerate(columns) if len(set(numbers)) > 1]
    if not different:
        return None
    first = different[0]
    before = "".join(part + columns[place][0] for place, part in enumerate(text[:first])) + text[first]
    is_code = any(character.isalpha() for character in text[0]) or before.endswith(("#", "."))
    fractions = any(_FRACTION.search(number) for number in columns[first])
    if is_code and not fractions and not before.endswith(tuple(_OPENING)):
        return None
    return "one" if len(different) == 1 else "several"

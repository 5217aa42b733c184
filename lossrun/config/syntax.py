"""Explain a syntax error of YAML: where the mistake is, which may be before where it was noticed, and what it is.

Only the classes and places of the parser's errors are used, and the characters there. The messages differ between
PyYAML and libyaml and between releases; they are shown only if nothing better is known.
"""

import re
from typing import Any, Final
from unicodedata import normalize

import yaml

from lossrun.config.source import TextPosition

_NO_COLON: Final = "expected a key here, followed by a colon and a space"
_NOT_CLOSED: Final = "this {} is not closed, or a comma is missing after it"
_NO_VALUE: Final = "a value is missing here, before a bracket, a comma, or the end"
_COLON: Final = (
    "unexpected colon: this line is indented deeper than the line above, or has two keys; quote text that contains a "
    "colon"
)
_LIST_ITEM: Final = (
    "a list item cannot start here: put it on a new line, or write the list as [a, b]; quote a dash that is text"
)
_ESCAPE: Final = "an unknown escape: write two backslashes for one, or use single quotes"
_BLOCK: Final = (
    "this line does not continue the block above: lines that belong together have the same indentation, and nothing "
    "follows a closing quote or bracket"
)
_NEEDS_QUOTES: Final = "quote a value that begins with this character"

_LOOKALIKE: Final = "the character U+{:04X} looks like {} but is not; type it again"
# Signs of YAML that other characters look like, such as a no-break space or a full-width colon.
_SIGNS: Final = {
    " ": "a space",
    ":": "a colon",
    ",": "a comma",
    "#": "a number sign",
    "-": "a hyphen",
    **{bracket: f"the bracket {bracket}" for bracket in "[]{}"},
}

# Characters with a special meaning at the beginning of a value.
_INDICATORS: Final = "@`%&*!|>?,]}"


def mistake(error: yaml.MarkedYAMLError, lines: list[str]) -> tuple[TextPosition, str]:
    """Return where to look, and what is wrong there."""
    noticed = _mark(error.problem_mark or error.context_mark)
    began = _mark(error.context_mark or error.problem_mark)
    if "\t" in _indentation(lines, noticed):
        return noticed, "a tab; YAML indents with spaces"
    if lookalike := _lookalike(lines, began, noticed):
        return lookalike
    if isinstance(error, yaml.scanner.ScannerError):
        return _of_a_token(noticed, began, lines) or (noticed, _message(error))
    if isinstance(error, yaml.parser.ParserError):
        return _of_the_structure(noticed, began, lines)
    return noticed, _message(error)


def _of_a_token(noticed: TextPosition, began: TextPosition, lines: list[str]) -> tuple[TextPosition, str] | None:
    """Explain characters that are not a token of YAML."""
    here, first = _character(lines, noticed), _character(lines, began)
    if first and first in "'\"" and began != noticed:
        ended = not here or lines[noticed.line].startswith(("---", "..."))
        return (began, "this quote is not closed") if ended else (noticed, _ESCAPE)
    if first and first in _INDICATORS:
        return began, _NEEDS_QUOTES
    if here == ":":
        return noticed, _COLON
    if here == "-":
        return noticed, _LIST_ITEM
    return (began, _NO_COLON) if began != noticed else None


def _of_the_structure(noticed: TextPosition, began: TextPosition, lines: list[str]) -> tuple[TextPosition, str]:
    """Explain tokens of YAML that do not fit together."""
    here, first = _character(lines, noticed), _character(lines, began)
    if (question := _question_mark(noticed, began, lines)) is not None:
        return question, _NEEDS_QUOTES
    if here == ":" and noticed.line == began.line:
        return noticed, _COLON
    if first and first in "[{":
        return began, _NOT_CLOSED.format(first)
    if here in ("]", "}") and began != noticed:
        return noticed, f"this {here} closes nothing"
    if not here or here in ",]}":
        return noticed, _NO_VALUE
    return noticed, _NEEDS_QUOTES if here == "%" else _BLOCK


def _question_mark(noticed: TextPosition, began: TextPosition, lines: list[str]) -> TextPosition | None:
    """Return where an item of a list is a question mark alone, which YAML takes for a key's.

    It is before the place where that was noticed. libyaml 0.2.5 reads `?]` as text, so it notices only that the list is
    not closed.
    """
    before = lines[noticed.line][: noticed.column] if noticed.line < len(lines) else ""
    if match := re.search(r"[\[,]\s*(\?)\s*,?\s*$", before):
        return TextPosition(noticed.line, match.start(1))
    opened = re.compile(r"\[(?:.*,)?\s*(\?)\s*\]").match("".join(lines[began.line : began.line + 1]), began.column)
    return TextPosition(began.line, opened.start(1)) if opened else None


def _lookalike(lines: list[str], began: TextPosition, noticed: TextPosition) -> tuple[TextPosition, str] | None:
    """Return where a character is text to YAML and looks like one of its signs; None if there is none."""
    for number in range(began.line, min(noticed.line + 1, len(lines))):
        for column, character in enumerate(lines[number]):
            if not character.isascii() and (sign := normalize("NFKC", character)) in _SIGNS:
                return TextPosition(number, column), _LOOKALIKE.format(ord(character), _SIGNS[sign])
    return None


def _message(error: yaml.MarkedYAMLError) -> str:
    return ": ".join(str(part) for part in (error.context, error.problem) if part) or "it cannot be parsed"


def _mark(mark: Any) -> TextPosition:
    return TextPosition(mark.line, mark.column) if mark else TextPosition(0, 0)


def _character(lines: list[str], place: TextPosition) -> str:
    """Return the character at a place; "" at the end of the text, a newline at the end of a line."""
    if place.line >= len(lines):
        return ""
    line = lines[place.line]
    return line[place.column] if place.column < len(line) else "\n" if place.line + 1 < len(lines) else ""


def _indentation(lines: list[str], place: TextPosition) -> str:
    line = lines[place.line] if place.line < len(lines) else ""
    return line[: len(line) - len(line.lstrip())]

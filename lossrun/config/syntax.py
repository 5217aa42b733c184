"""What YAML's parser means: the place where a mistake was made, which is not always where it was noticed, and words."""

from typing import Any, Final

import yaml

from lossrun.config.source import Mark

# By what the parser was at, or says; whether the mistake is where that began; what it mostly is.
_MISTAKES: Final = (
    ("while scanning a simple key", True, "no key here: after a key comes a colon, and after that a space"),
    ("while scanning a quoted scalar", True, "this quote is not closed"),
    ("while parsing a flow mapping", True, "this { is not closed, or a comma is missing behind it"),
    ("while parsing a flow sequence", True, "this [ is not closed, or a comma is missing behind it"),
    ("while parsing a flow", False, "a value is missing here, before a bracket, a comma or the end"),
    (
        "mapping values are not allowed",
        False,
        "a colon where no key can stand: this line is indented deeper than the one above, or has two keys; text with "
        "a colon in it wants quotes",
    ),
    (
        "while parsing a block",
        False,
        "this does not go on what stands above: lines that belong together are indented alike, and nothing follows a "
        "closing quote or bracket",
    ),
    ("cannot start any token", False, "a value that begins with this character wants quotes"),
)


def mistake(error: yaml.MarkedYAMLError, lines: list[str]) -> tuple[Mark, str]:
    """Where to look, and what is wrong there."""
    noticed, began = _mark(error.problem_mark or error.context_mark), _mark(error.context_mark)
    said = ": ".join(str(part) for part in (error.context, error.problem) if part)
    if "\t" in _indentation(lines, noticed):
        return noticed, "a tab; YAML indents with spaces"
    for words, at_the_beginning, meant in _MISTAKES:
        if words in said:
            return (began if at_the_beginning and error.context_mark else noticed), meant
    return noticed, said


def _mark(mark: Any) -> Mark:
    return Mark(mark.line, mark.column) if mark else Mark(0, 0)


def _indentation(lines: list[str], place: Mark) -> str:
    line = lines[place.line] if place.line < len(lines) else ""
    return line[: len(line) - len(line.lstrip())]

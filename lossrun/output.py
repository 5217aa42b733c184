"""Print any text, whatever the encoding of the terminal, the bytes in names of files, and who wrote the text."""

import codecs
import io
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from contextvars import ContextVar
from typing import Final, TextIO

_HANDLER: Final = "lossrun.output"
# Line ends and tabs, and what joins or parts letters and the signs of one emoji.
_HARMLESS: Final = frozenset("\n\t\u200c\u200d")
# Controls, what is not seen or turns the direction of reading, and ends of lines and paragraphs.
_HARMFUL: Final = frozenset({"Cc", "Cf", "Zl", "Zp"})
_DATA: Final[ContextVar[TextIO | None]] = ContextVar("data")


@contextmanager
def data_to(stream: TextIO | None) -> Iterator[None]:
    """Write our data to `stream`, and print everything else to stderr, such as what a user's own loss prints.

    Then a program that reads our stdout gets the data alone.
    """
    before = _DATA.set(stream)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        _DATA.reset(before)


def data_stream() -> TextIO | None:
    """Return the stream for data: that of `data_to`, otherwise stdout. None if the parent process closed it."""
    return _DATA.get(sys.stdout)


def write_data(text: str) -> None:
    """Write a text to the stream for data, at once."""
    if (stream := data_stream()) is not None:
        stream.write(text)
        stream.flush()


def harmless(text: str) -> str:
    r"""Write characters that would control the terminal, or disguise the text, as \x1b or \u202e."""
    if text.replace("\n", "").isprintable():  # which is much faster
        return text
    return "".join(
        letter.encode("unicode_escape").decode()
        if unicodedata.category(letter) in _HARMFUL and letter not in _HARMLESS
        else letter
        for letter in text
    )


def harmless_json(text: str) -> str:
    """Escape the same characters in a JSON text, in which this changes no value."""
    if text.replace("\n", "").isprintable():
        return text
    return "".join(
        _in_json(letter) if unicodedata.category(letter) in _HARMFUL and letter not in _HARMLESS else letter
        for letter in text
    )


def _in_json(letter: str) -> str:
    units = letter.encode("utf-16-be")  # two of them beyond U+FFFF
    return "".join(f"\\u{units[place : place + 2].hex()}" for place in range(0, len(units), 2))


def escape_unencodable(stream: TextIO | None) -> None:
    r"""Let the stream write characters that its encoding does not have.

    Bytes of file names are written as they are, so that a printed path can be used; everything else as \\xe9.
    """
    if isinstance(stream, io.TextIOWrapper) and stream.errors != _HANDLER:
        codecs.register_error(_HANDLER, _written_otherwise)
        stream.reconfigure(errors=_HANDLER)


def _written_otherwise(error: UnicodeError) -> tuple[bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    letters = error.object[error.start : error.end]
    # In names of files, Python uses U+DC80 to U+DCFF for bytes that are not text.
    written = [
        bytes([ord(letter) - 0xDC00])
        if "\udc80" <= letter <= "\udcff"
        else letter.encode("ascii", errors="backslashreplace")
        for letter in letters
    ]
    return b"".join(written), error.end

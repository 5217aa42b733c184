"""What is printed finds its way out, whatever the encoding of the terminal and whatever names files have."""

import codecs
import io
from typing import Final, TextIO

_HANDLER: Final = "lossrun.output"


def accept_any_text(stream: TextIO | None) -> None:
    """Have the stream write what its encoding has no letter for: bytes of file names as they are, so that a printed
    path can be used, and everything else as \\xe9."""
    if isinstance(stream, io.TextIOWrapper) and stream.errors != _HANDLER:
        codecs.register_error(_HANDLER, _written_otherwise)
        stream.reconfigure(errors=_HANDLER)


def _written_otherwise(error: UnicodeError) -> tuple[bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    letters = error.object[error.start : error.end]
    # U+DC80 to U+DCFF stand for bytes that are no text, by Python's convention for names of files.
    written = [
        bytes([ord(letter) - 0xDC00])
        if "\udc80" <= letter <= "\udcff"
        else letter.encode("ascii", errors="backslashreplace")
        for letter in letters
    ]
    return b"".join(written), error.end

"""Print any text, whatever the encoding of the terminal and whatever bytes are in names of files."""

import codecs
import io
from typing import Final, TextIO

_HANDLER: Final = "lossrun.output"


def accept_any_text(stream: TextIO | None) -> None:
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

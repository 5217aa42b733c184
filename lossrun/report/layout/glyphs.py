"""Which characters a terminal can be trusted to draw."""

import os
from typing import Final

from rich.console import Console

from lossrun.report.layout.console import is_unicode

# The consoles of Linux and of old terminals have neither braille nor blocks in their fonts; of a dumb one nobody knows.
_PLAIN_TERMINALS: Final = ("linux", "vt100", "vt102", "vt220", "ansi", "dumb", "unknown")


def draws_unicode(console: Console) -> bool:
    """Whether pictures may be made of braille and blocks; otherwise of ASCII."""
    return is_unicode(console) and os.environ.get("TERM") not in _PLAIN_TERMINALS

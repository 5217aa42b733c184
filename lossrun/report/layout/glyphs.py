"""Choose the characters that a terminal can draw."""

import os
from typing import Final

from rich.console import Console

from lossrun.report.layout.console import is_unicode

# The consoles of Linux and old terminals lack braille and blocks in their fonts; a dumb terminal may lack anything.
_PLAIN_TERMINALS: Final = ("linux", "vt100", "vt102", "vt220", "ansi", "dumb", "unknown")


def draws_unicode(console: Console) -> bool:
    """Return whether pictures may use braille and blocks; otherwise ASCII."""
    return is_unicode(console) and os.environ.get("TERM") not in _PLAIN_TERMINALS

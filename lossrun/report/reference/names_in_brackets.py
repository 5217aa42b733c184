"""Say where to read more about the rules and diagnoses whose names are in brackets at the end of messages."""

import re
from collections.abc import Iterable
from typing import Final

from lossrun.shell import command

_NAME: Final = re.compile(r"\[([a-z][a-z_]*)\](?=\.?$)", re.MULTILINE)


def where_to_read(texts: Iterable[str]) -> str:
    """Return a sentence for all messages; "" if no message names a rule or a diagnosis."""
    written = dict.fromkeys(name for text in texts for name in _NAME.findall(text))
    if not written:
        return ""
    from lossrun.catalog.diagnoses import DIAGNOSES
    from lossrun.lint.rules import RULES

    names = [name for name in written if name in RULES or name in DIAGNOSES]
    if not names:
        return ""
    others = f"; likewise for {', '.join(names[1:])}" if len(names) > 1 else ""
    return f"`{command('explain', names[0])}` says more{others}"

"""Write HTML and SVG in which text is always escaped: only `Markup` counts as markup."""

import json
import re
import struct
import zlib
from base64 import b64encode
from collections.abc import Iterable
from html import escape
from typing import Any, Final

import numpy as np

_PNG: Final = b"\x89PNG\r\n\x1a\n"
_VOID: Final = {"img", "input", "br"}
# Within a script element these could end it, or begin a comment; the last two end a line of JavaScript.
_IN_SCRIPT: Final = {ord(sign): f"\\u{ord(sign):04x}" for sign in "<>&\u2028\u2029"}


class Markup(str):
    """Text that is already markup."""

    __slots__ = ()


def element(name: str, *content: str | None, **attributes: Any) -> Markup:
    """Write an element: `<name ...>content</name>`.

    Names of attributes have underscores for hyphens; `class_` means class. An attribute that is None or False is left
    out; one that is True has no value.
    """
    written = "".join(_attribute(key, value) for key, value in attributes.items() if value not in (None, False))
    if name in _VOID:
        return Markup(f"<{name}{written}>")
    return Markup(f"<{name}{written}>{joined(content)}</{name}>")


def joined(content: Iterable[str | None]) -> Markup:
    """Join the pieces, and escape those that are plain text."""
    return Markup("".join(one if isinstance(one, Markup) else escape(one) for one in content if one))


def with_code(sentence: str) -> Markup:
    """Return a sentence in which what is between backticks is code."""
    parts = re.split(r"`([^`]+)`", sentence)
    return joined(element("code", part) if place % 2 else part for place, part in enumerate(parts))


def json_block(value: Any, **attributes: Any) -> Markup:
    """Write a script element that holds data, escaped so that the data cannot end it."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).translate(_IN_SCRIPT)
    return element("script", Markup(text), type="application/json", **attributes)


def png_address(pixels: np.ndarray) -> str:
    """Write an image of bytes, (H, W) or (H, W, 3), as a data: address."""
    height, width = pixels.shape[:2]
    colour = 2 if pixels.ndim == 3 else 0
    # Each row begins with the number of its filter: 0 means no filter.
    rows = np.hstack([np.zeros((height, 1), np.uint8), pixels.reshape(height, -1)])
    parts = {
        b"IHDR": struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0),
        b"IDAT": zlib.compress(rows.tobytes(), 9),
        b"IEND": b"",
    }
    chunks = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts.items()
    ]
    return f"data:image/png;base64,{b64encode(_PNG + b''.join(chunks)).decode()}"


def _attribute(key: str, value: Any) -> str:
    name = key.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{escape(str(value))}"'

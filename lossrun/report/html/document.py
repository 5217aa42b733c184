"""Write what every page shares: one offline file, and a policy that only allows its own styles and script."""

from base64 import b64encode
from hashlib import sha256
from importlib.resources import files
from string import Template
from typing import Final

from lossrun.report.html.markup import element, joined
from lossrun.version import __version__

_SHARED: Final = "lossrun.report.html"


def document(room: str, name: str, title: str, **parts: str) -> str:
    """Make a page from the files `name`.html, .css, and .js of a room, with the theme that all pages share.

    Args:
        room: The package with the files.
        title: The title that the browser shows.
        parts: The texts for each `$key` in the body; plain text is escaped.
    """
    styles, script = (_file(_SHARED, f"theme.{kind}") + _file(room, f"{name}.{kind}") for kind in ("css", "js"))
    version = joined([__version__])
    markup = {key: joined([part]) for key, part in parts.items()}
    return Template(_file(_SHARED, "document.html")).substitute(
        policy=f"default-src 'none'; style-src '{_digest(styles)}'; script-src '{_digest(script)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'",
        title=element("title", title),
        version=version,
        styles=styles,
        script=script,
        body=Template(_file(room, f"{name}.html")).substitute(markup, version=version),
    )


def _file(room: str, name: str) -> str:
    return (files(room) / name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"

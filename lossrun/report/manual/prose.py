"""Turn the plain text of declarations into HTML: sentences, code in backticks, formulas, links to other topics."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from lossrun.report.html.markup import Markup, element, joined
from lossrun.report.reference.article import Piece, Reference

# An exponent or an index, a letter that means a number, or a sign.
_FORMULA: Final = re.compile(
    r"\^(?P<power>\([^()]*\)|[A-Za-z0-9_]+(\([^()]*\))?)"
    r"|(?P<base>\bsum|\b[A-Za-z])_(?P<index>[A-Za-z0-9]+)\b"
    r"|(?P<letter>(?<!')\b[A-Za-z](?![A-Za-z0-9_])'?)"
    r"|(?P<sign><=|>=|(?<= )-(?= )|(?<![\w)])-(?=[\w(]))"
)
_SIGNS: Final = {"<=": "≤", ">=": "≥", "-": "−"}
# An ordinary word, not the name of a key or a number.
_WORD: Final = re.compile(r"[a-z][a-z-]*(?![\w(.]|: )")
# `a` is an article before a word, and a number before a sign.
_ARTICLE: Final = re.compile(r"a [a-z]{3,}")


def identity(reference: Reference) -> str:
    """Return the id of a topic's section, for links."""
    return f"{reference.kind}-{reference.name}"


def link(reference: Reference) -> Markup:
    return element("a", element("code", reference.name), href=f"#{identity(reference)}")


def codes(names: Sequence[str]) -> Iterator[str]:
    """Yield the names as code, with commas between them."""
    for place, name in enumerate(names):
        if place:
            yield ", "
        yield element("code", name)


def prose(text: str) -> Markup:
    """Return the text with code for what is in backticks, and with raised exponents."""
    parts = re.split(r"`([^`]+)`|\^(\w+)", text)
    names = (None, "code", "sup")
    return joined(
        element(name, part) if (name := names[place % 3]) and part else part for place, part in enumerate(parts)
    )


def sentence(text: str) -> Markup:
    """Return a text of a declaration as a sentence, with a capital letter and a full stop."""
    begun = text[:1].upper() + text[1:] if _WORD.match(text) else text
    return prose(begun if begun.endswith((".", "?", "!")) else f"{begun}.")


def lines(content: Iterable[Piece]) -> list[Markup]:
    """Return a piece of markup for each line of a fact."""
    found: list[list[Markup]] = [[]]
    for piece in content:
        if isinstance(piece, Reference):
            found[-1].append(link(piece))
            continue
        for place, line in enumerate(piece.split("\n")):
            if place:
                found.append([])
            found[-1].append(prose(line))
    return [joined(pieces) for pieces in found]


def formula(text: str) -> Markup:
    """Return a formula with raised exponents, lowered indices and letters in italics."""
    return joined(_formula(text))


def _formula(text: str) -> Iterator[str]:
    at = 0
    for match in _FORMULA.finditer(text):
        if match["letter"] in ("a", "A") and _ARTICLE.match(text, match.start()):
            continue
        yield text[at : match.start()]
        at = match.end()
        if power := match["power"]:
            yield element("sup", formula(power.strip("()") if power.startswith("(") else power))
        elif match["index"]:
            base = match["base"]
            yield base if len(base) > 1 else element("var", base)
            yield element("sub", match["index"])
        elif letter := match["letter"]:
            yield element("var", letter)
        else:
            yield _SIGNS[match["sign"]]
    yield text[at:]

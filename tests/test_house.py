"""Rules for the package as a whole."""

import ast
import re
from collections import Counter
from pathlib import Path

import lossrun

PACKAGE = Path(lossrun.__file__).parent
ROOT = Path(__file__).parent.parent
FOLDERS = ("lossrun", "tests", "configs")

# Words that a reader has to read twice, and what to write instead.
UNCOMMON = {
    r"mend(s|ed|ing)?": "fix",
    r"wants(?! to\b)": "needs",
    r"for want of": "because there is no",
    r"beside": "next to, compared with, in addition to",
    r"but for": "except for",
    r"apiece": "for each",
    r"leavings": "leftover",
    r"anew": "again, from the start",
    r"for ever": "forever",
    r"seldom": "rarely",
    r"heed(s|ed)?": "handle, obey",
    r"yardsticks?(?!\")": "metric",
    r"whoever": "the reader, the caller",
    r"held against": "compared with",
    r"(told|tells?) of": "name, report",
    r"come to rest": "stop, get stuck",
    r"at hand": "available",
    r"as it stands": "as it is, unchanged",
    r"of one's own": "the user's own",
    r"an? \w+ of the user's own": "the user's own model",
    r"of which (some|none|each)": "some of them",
    r"numbers that are none": "NaN or infinity",
    r"nothing to complain": "no problems found",
    r"proves nothing": "is not enough to decide",
    r"to the bits that": "bit for bit",
    r"the disk refuses": "writing fails",
    r"so many(?! (that|of)\b)": "this many, `count`",
    r"(?<!there )(is|are) no (?!(longer|more|better|\w+er)\b)": "is not a",
}


def test_no_two_public_classes_have_one_name() -> None:
    """Except for classes of `lossrun` itself that add to a class of a room; they also have another name."""
    names = Counter(
        node.name
        for path in PACKAGE.rglob("*.py")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )
    assert [name for name, count in names.items() if count > 1] == []


def test_texts_use_common_words() -> None:
    """In code, comments, messages and documents; a phrase may continue on the next line of a text or of a comment."""
    texts = {
        path: path.read_text(encoding="utf-8")
        for path in (*ROOT.glob("*.md"), *(path for name in FOLDERS for path in (ROOT / name).rglob("*")))
        if path.suffix in (".py", ".md", ".yaml", ".html") and path != Path(__file__)
    }
    assert len(texts) > 500
    phrases = re.compile("|".join(rf"\b(?:{phrase})\b" for phrase in UNCOMMON), re.IGNORECASE)
    found = [
        f"{path.relative_to(ROOT)}: {one[0]!r}; write {_better(one[0])}"
        for path, text in texts.items()
        for one in phrases.finditer(re.sub(r'"?\n\s*(# |f?"(?!""))?', " ", text))
    ]
    assert found == []


def _better(phrase: str) -> str:
    return next(better for old, better in UNCOMMON.items() if re.match(old, phrase, re.IGNORECASE))


def test_uncommon_words_are_found_with_better_ones() -> None:
    assert _better("Beside") == "next to, compared with, in addition to"
    assert _better("so many") == "this many, `count`"

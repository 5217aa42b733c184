"""What holds for the package as a whole."""

import ast
from collections import Counter
from pathlib import Path

import lossrun

PACKAGE = Path(lossrun.__file__).parent


def test_no_two_public_classes_have_one_name() -> None:
    """But for those of `lossrun` itself that add to a class of the rooms, which have a name of their own as well."""
    names = Counter(
        node.name
        for path in PACKAGE.rglob("*.py")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )
    assert [name for name, count in names.items() if count > 1] == []

"""Suggest files for a name that does not exist: the nearest name first, and how many there are."""

import os
import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from pathlib import Path
from typing import Final

_CLOSE: Final = 0.6  # how similar a name must be to be suggested
_SHOWN: Final = 5  # names in a message
_LONGEST: Final = 1000  # characters of a name that may be meant: comparing takes time and memory
_MOST: Final = 2000  # the most names to compare; there may be any number of files


def nearby(path: Path, endings: Sequence[str] = (), kind: str = "file") -> str:
    """Return what to add to "no such file": `; did you mean base.yaml? 12 YAML files here, nearest first: ...`.

    Args:
        endings: The endings of files that could be meant, such as `.yaml`; () for any.
        kind: What to call such a file.
    """
    if not _may_be_folder(path.parent):
        return _no_folder(path)
    names = names_in(path.parent, endings)
    below = [] if path.name in names else _one_folder_below(path)
    if below:
        return f"; did you mean {_shown(str(below[0]))}?" + _counted(len(names), kind, joined=False)
    return nearest_first(path.name, names, kind, "here", ignore=endings)


def nearest_first(
    word: str,
    names: Sequence[str],
    kind: str,
    where: str,
    *,
    ignore: Sequence[str] = (),
    count: int | None = None,
    words: Sequence[str] = (),
) -> str:
    """Return the same for any names: `; did you mean base.yaml? 12 YAML files here, nearest first: base.yaml, ...`.

    Args:
        ignore: Endings that do not count when names are compared.
        count: How many there are, if several have the same name.
        words: Words that may be meant too, but are not names.
    """
    count = len(names) if count is None else count
    ranked = _ranked(word, names, ignore)
    if not ranked:
        return _counted(count, kind, where)
    if (meant_word := nearest(word, [*ranked, *words], ignore)) in words:
        listed = ", ".join(map(_shown, ranked[:_SHOWN])) + (", ..." if len(names) > _SHOWN else "")
        return f"; did you mean {meant_word}?{_counted(count, kind, where, joined=False)}: {listed}"
    close = nearest(word, names, ignore) is not None
    meant = f"; did you mean {_shown(ranked[0])}?" if close else ""
    if count == 1 and close:
        return f"{meant}{_counted(count, kind, where, joined=False)}"
    listed = ", ".join(map(_shown, ranked[:_SHOWN])) + (", ..." if len(names) > _SHOWN else "")
    return f"{meant}{_counted(count, kind, where, joined=not close)}{', nearest first' * close}: {listed}"


def nearest(word: str, names: Sequence[str], ignore: Sequence[str] = ()) -> str | None:
    """Return the name that `word` probably means, or None."""
    first = next(iter(_ranked(word, names, ignore)), None)
    return first if first is not None and _likeness(word.strip() or word, first, ignore) >= _CLOSE else None


def inside(folder: Path, endings: Sequence[str] = (), kind: str = "file") -> str:
    """Return what is in a folder that was given for a file: `; 2 YAML files in it: a.yaml, b.yaml`."""
    names = names_in(folder, endings)
    listed = ", ".join(map(_shown, names[:_SHOWN])) + (", ..." if len(names) > _SHOWN else "")
    return _counted(len(names), kind, "in it") + (f": {listed}" if names else "")


def about_folder(path: Path) -> str:
    """Say that the folder of a file to write does not exist, and which one may be meant; "" if it exists."""
    return "" if _may_be_folder(path.absolute().parent) else _no_folder(path)


def joined(text: str, more: str) -> str:
    """Join two texts into one message; a question ends with its own mark."""
    return f"{text} {more[:1].upper()}{more[1:]}" if text.endswith("?") else f"{text}; {more}"


def names_in(folder: Path, endings: Sequence[str] = ()) -> list[str]:
    """Return the sorted names of the files in a folder with one of the endings; [] if it cannot be read."""
    try:
        found = [one.name for one in folder.iterdir() if not one.name.startswith(".")]
        return sorted(name for name in found if _ends(name, endings) and not (folder / name).is_dir())
    except OSError:
        return []


def _no_folder(path: Path) -> str:
    """Name the first folder of the path that does not exist, and the one that may be meant."""
    missing = next(part for part in reversed((path, *path.parents)) if not part.exists())
    try:
        folders = [one.name for one in missing.parent.iterdir() if one.is_dir() and not one.name.startswith(".")]
    except OSError:
        folders = []
    close = max(folders, key=lambda name: _likeness(missing.name, name), default="")
    if not close or _likeness(missing.name, close) < _CLOSE:
        return f"; there is no folder {_shown(str(missing))}"
    meant = missing.parent / close / path.relative_to(missing)
    meant = meant if os.path.lexists(meant) else missing.parent / close
    return f"; there is no folder {_shown(str(missing))}: did you mean {_shown(str(meant))}?"


def _may_be_folder(path: Path) -> bool:
    """Return whether a folder is there, or nobody lets us look."""
    try:
        return path.is_dir()
    except OSError:
        return True


def _one_folder_below(path: Path) -> list[Path]:
    try:
        folders = [one for one in path.parent.iterdir() if one.is_dir() and not one.name.startswith(".")]
        return sorted(one / path.name for one in folders if (one / path.name).is_file())
    except OSError:
        return []


def _ranked(word: str, names: Sequence[str], ignore: Sequence[str]) -> list[str]:
    word = word.strip() or word
    return sorted(names[:_MOST], key=lambda name: (-_likeness(word, name, ignore), name))


def _counted(count: int, kind: str, where: str = "here", *, joined: bool = True) -> str:
    kinds = kind if count == 1 else "s or ".join(kind.split(" or ")) + "s"
    many = f"{count or 'no'} {kinds} {where}".rstrip()
    return f"; {many}" if joined else f" {many}"


def _likeness(one: str, other: str, ignore: Sequence[str] = ()) -> float:
    """Return the likeness of two names, from 0 to 1; case, dashes, and underscores do not count.

    Letters in another order, the most common mistake, count as one difference.
    """
    first, second = (_folded(text, ignore) for text in (one, other))
    if first == second:
        return 1.0
    if max(len(first), len(second)) > _LONGEST:
        return 0.0
    if sorted(first) == sorted(second):
        return 0.95
    return SequenceMatcher(None, first, second).ratio()


def _folded(text: str, ignore: Sequence[str]) -> str:
    stem, dot, ending = text.rpartition(".")
    # The ending may be misspelt, as in houses.cvs.
    if dot and any(_likeness(dot + ending, known) >= _CLOSE for known in ignore):
        text = stem
    return re.sub(r"[\s_\-]", "", text).lower()


def _ends(name: str, endings: Sequence[str]) -> bool:
    return not endings or name.lower().endswith(tuple(endings))


def _shown(name: str) -> str:
    """Return the name without characters that would move the cursor or colour the terminal."""
    return name if name.isprintable() else ascii(name)


def about(path: Path, error: OSError, endings: Sequence[str] = (), kind: str = "file") -> str:
    """Return what helps with a file that cannot be opened: `nearby` if it does not exist, `inside` for a folder."""
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return nearby(path, endings, kind)
    is_folder = os.path.isdir(path)  # noqa: PTH112  # which raises nothing where nobody lets us look
    return inside(path, endings, kind) if is_folder else ""

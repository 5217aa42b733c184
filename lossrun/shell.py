"""Write commands for people to paste: the only place that does so.

A printed command does what it says when it is pasted into the shell that printed it, in the same folder: words are
quoted by that shell's rules, and the options that it needs are included.
"""

import os
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

PROGRAM: Final = "lossrun"
DEFAULT_RUNS: Final = Path("runs")
STDIN: Final = Path("-")  # a config that is read from standard input
_ENVIRONMENT: Final = {"--runs-dir": "LOSSRUN_RUNS_DIR", "--data-dir": "LOSSRUN_DATA_DIR"}
_SHORT_ESCAPES: Final = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}
# Characters with a special meaning in cmd.exe outside of quotes.
_SPECIAL_IN_CMD: Final = re.compile(r"[\s&|<>^()%!,;`']")


def command(
    name: str,
    *words: str | Path,
    runs_dir: Path | None = None,
    data_dir: Path | None = None,
    set_: Sequence[str] = (),
    options: Mapping[str, object] | None = None,
) -> str:
    """Write `lossrun NAME WORDS OPTIONS`, quoted. Folders that the command would use anyway are left out.

    Placeholders (`RUN`, `epochs=...`) are words like any other.

    Args:
        options: {"--metric": "rmse"}; None leaves an option out, a list repeats it.
    """
    parts = [PROGRAM, name, *(_positional(word) for word in words)]
    given: list[tuple[str, object]] = [("--set", text) for text in set_]
    for option, value in (options or {}).items():
        given += [(option, one) for one in (value if isinstance(value, list | tuple) else [value])]
    folders = (("--runs-dir", runs_dir, DEFAULT_RUNS), ("--data-dir", data_dir, None))
    given += [(option, folder) for option, folder, usual in folders if not _is_usual(option, folder, usual)]
    for option, value in given:
        if value is not None:
            parts += [option, str(value)]
    return join(parts)


def run_command(name: str, run: Path, *, set_: Sequence[str] = ()) -> str:
    """Write a command about one run, with its name if that is enough to find it, otherwise its path."""
    return command(name, run_word(run), set_=set_)


def run_word(run: Path) -> str | Path:
    """Return the run's name if it is in the default folder of runs, otherwise its path."""
    usual = _is_usual("--runs-dir", DEFAULT_RUNS, DEFAULT_RUNS)
    by_name = usual and run.parent.resolve() == DEFAULT_RUNS.resolve() and not os.path.lexists(run.name)
    return run.name if by_name else run


def set_options(*settings: str) -> str:
    """Write `--set KEY=VALUE` for each setting, quoted."""
    return " ".join(join(["--set", setting]) for setting in settings)


def join(words: Sequence[str | Path]) -> str:
    """Join the words to one line for the shell of this platform."""
    return " ".join(quoted(str(word)) for word in words)


def quoted(word: str) -> str:
    """Quote a word for the shell of this platform: POSIX, or cmd.exe.

    A character that a screen does not show as it is (a line break, a tab, an escape, a byte that is not UTF-8) is
    written as an escape in `$'...'`, which bash, zsh, ksh, and POSIX 2024 read.
    """
    if os.name != "nt":
        return shlex.quote(word) if word.isprintable() else f"$'{''.join(map(_escaped, word))}'"
    from subprocess import list2cmdline  # slow to import, and only needed here

    text = list2cmdline([word])
    return f'"{text}"' if _SPECIAL_IN_CMD.search(text) and not text.startswith('"') else text


def is_a_width(columns: str) -> bool:
    """Return whether COLUMNS is a usable width: at least 20 columns."""
    return columns.isascii() and columns.isdecimal() and len(columns) < 10 and int(columns) >= 20


def _positional(word: str | Path) -> str:
    """Write a file whose name begins with a dash so that it is not taken for an option."""
    text = str(word)
    return f".{os.sep}{text}" if text.startswith("-") and isinstance(word, Path) and word != STDIN else text


def _escaped(char: str) -> str:
    """Write a character between `$'` and `'`."""
    if char.isprintable():
        return f"\\{char}" if char in "'\\" else char
    if char in _SHORT_ESCAPES:
        return _SHORT_ESCAPES[char]
    # Always three octal digits, so that a digit after them is not part of the escape.
    return "".join(f"\\{byte:03o}" for byte in char.encode("utf-8", "surrogateescape"))


def _is_usual(option: str, folder: Path | None, usual: Path | None) -> bool:
    """Return whether the command uses the folder by default."""
    if folder is None:
        return True
    named = os.environ.get(_ENVIRONMENT[option])
    return folder == (Path(os.path.expanduser(named)) if named else usual)  # noqa: PTH111  # raises nothing

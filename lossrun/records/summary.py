"""Read what a listing needs of a run, without parsing all of a history: most runs have finished, and thousands of them
are listed in a second or two.
"""

import os
from operator import itemgetter
from pathlib import Path
from typing import Any, Final

from lossrun.errors import RunError
from lossrun.files import is_there, read_regular
from lossrun.records import formats, ledger, recorded
from lossrun.records.files import config_file, strict_json
from lossrun.records.files.digests import DigestsAt, PrefixDigest, of_text, with_unix_lines
from lossrun.records.files.rows import Rows
from lossrun.records.history import History
from lossrun.records.recorded import RecordedRun

# What may stand in the ledger of a run that finished in one go.
_EVENTS = frozenset({"started", "diagnosed", "finished"})
_LONGEST: Final = 1 << 29  # bytes of a history that is held as a whole; a longer one is read row by row
_NUMBERS: Final = frozenset({int, float})
# What is raised if a file is not as it was written.
_UNEXPECTED = (OSError, RunError, ValueError, TypeError, LookupError, AttributeError)


def load_summary(path: Path) -> RecordedRun:
    """Read the run as `recorded.load` does, but only some rows of the history of a finished run.

    These are the rows of the best epochs and the last row, which is all that a listing needs. All digests are checked.
    If anything is not as expected, `recorded.load` reads the run and says what is wrong.
    """
    try:
        found = _finished(path)
    except _UNEXPECTED:
        found = None
    return found or recorded.load(path)


def _finished(path: Path) -> RecordedRun | None:
    """Return a run that finished in one go, if its files are what was written; else None."""
    folder = os.fspath(path)
    if is_there(f"{folder}/owner.json"):
        return None  # somebody writes it, or died
    content = with_unix_lines(read_regular(f"{folder}/ledger.jsonl", ledger.LONGEST))
    if len(content) > strict_json.MOST_VALUES:
        return None  # which is checked piece by piece
    lines = content.splitlines(keepends=True)
    ledger.check_digests(f"{folder}/ledger.jsonl", lines)
    *events, finished = map(strict_json.loads_plain, lines)
    started = events[0]
    names = [event["event"] for event in events]
    if names[0] != "started" or finished["event"] != "finished" or not _EVENTS.issuperset(names):
        return None
    formats.check_events(path, (*events, finished))  # digests reveal damage, but not who wrote a file
    if of_text(read_regular(f"{folder}/config.yaml", config_file.LONGEST)) != started["config_digest"]:
        return None
    if strict_json.loads_plain(read_regular(f"{folder}/run.json")) != started["environment"]:
        return None
    epochs, mark = _best_epochs(finished), PrefixDigest.found_in(finished["history"])
    rows = _rows_of(read_regular(f"{folder}/history.jsonl", _LONGEST), epochs, mark) if epochs and mark else None
    if rows is None:
        return None
    for event in (*events, finished):
        del event["digest"]
    return RecordedRun(
        path=path,
        name=path.resolve().name if path.is_symlink() or not path.name.strip(".") else path.name,
        config=started["config"],
        environment=started["environment"],
        history=History(rows),
        ledger=(*events, finished),
        status="finished",
        warnings=(),
        whole=True,
    )


def _best_epochs(finished: dict[str, Any]) -> set[int] | None:
    """Return the best and last epochs of all seeds; None if the history is needed."""
    seeds = finished["seeds"].values()
    best: set[Any] = {seed.get("best_epoch") for seed in seeds}
    last: set[Any] = {one.get("stopped_epoch") or one.get("diverged_epoch") or finished.get("epoch") for one in seeds}
    return best | last if best and None not in best | last else None


def _rows_of(content: bytes, epochs: set[int], mark: PrefixDigest) -> Rows | None:
    """Return the history's rows of some epochs, and its last row.

    None if a row is not where it should be, or the content is not what was written.
    """
    content = with_unix_lines(content)
    marked = DigestsAt([mark])
    marked.add(content)
    if not content.endswith(b"\n") or not marked.agrees_with(mark) or marked.goes_on:
        return None
    lines = [content[content.rfind(b"\n", 0, -1) + 1 :]]
    for epoch in epochs:
        start = b'{"epoch": %d,' % epoch
        at = 0 if content.startswith(start) else content.find(b"\n" + start) + 1
        if not content.startswith(start, at):
            return None
        while content.startswith(start, at):
            end = content.index(b"\n", at) + 1
            lines.append(content[at:end])
            at = end
    rows = sorted(map(strict_json.loads_plain, dict.fromkeys(lines)), key=itemgetter("epoch"))
    return Rows.from_dicts(rows) if all(map(_is_plain, rows)) else None


def _is_plain(row: dict[str, Any]) -> bool:
    """Return whether all values of a row are finite numbers, and integers where they must be."""
    return (
        _NUMBERS.issuperset(map(type, row.values()))
        and type(row["epoch"]) is type(row["step"]) is type(row["seed"]) is int
    )

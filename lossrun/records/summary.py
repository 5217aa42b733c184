"""Read what a listing needs of a run, without parsing all of a long history."""

from collections.abc import Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any, Final

from lossrun.files import LARGE, read_regular
from lossrun.records import recorded
from lossrun.records.files import strict_json
from lossrun.records.files.digests import Marked, PrefixDigest, with_unix_lines
from lossrun.records.files.rows import Rows
from lossrun.records.history import History
from lossrun.records.recorded import RecordedRun
from lossrun.records.run_directory import RunDirectory
from lossrun.records.status import status

LONG_HISTORY: Final = 1_000_000  # bytes; to parse them takes 10 ms


def summed_up(path: Path) -> RecordedRun:
    """Read the run as `recorded.load` does, but only some rows of a long, finished history.

    These are the rows of the best epochs and the last row. A listing needs no more, and a thousand such histories would
    take minutes.
    """
    files = RunDirectory(path)
    try:
        if files.history_path.stat().st_size <= LONG_HISTORY:
            return recorded.load(path)
    except OSError:
        return recorded.load(path)
    described = recorded.read_description(path)
    events = described.ledger
    epochs = _best_epochs(events)
    rows = _rows_of(files.history_path, epochs, PrefixDigest.found_in(events[-1].get("history"))) if epochs else None
    if rows is None:
        return recorded.load(path)  # reports the problem
    return RecordedRun(
        path=path,
        name=path.resolve().name,
        config=described.config,
        environment=described.environment,
        history=History(rows),
        ledger=events,
        status=status(path, events),
        warnings=described.edited,
        edited=described.edited,
        verified=described.verified,
    )


def _best_epochs(events: Sequence[dict[str, Any]]) -> set[int] | None:
    """Return the best and last epochs of all seeds from the ledger; None if the history is needed."""
    if not events or events[-1]["event"] != "finished":
        return None
    if any(key.startswith("best") for event in events for key in event.get("changes", ())):
        return None
    seeds = events[-1]["seeds"].values()
    best: set[Any] = {seed.get("best_epoch") for seed in seeds}
    last: set[Any] = {
        seed.get("stopped_epoch") or seed.get("diverged_epoch") or events[-1].get("epoch") for seed in seeds
    }
    return best | last if best and None not in best | last else None


def _rows_of(history_path: Path, epochs: set[int], mark: PrefixDigest | None) -> Rows | None:
    """Return the history's rows of some epochs, and its last row.

    None if a row is not where it should be, or the content is not what was written.
    """
    content = with_unix_lines(read_regular(history_path, LARGE))
    if not content.endswith(b"\n"):
        return None
    if mark is not None:
        marked = Marked([mark])
        marked.add(content)
        if not marked.agrees_with(mark) or marked.goes_on:
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
    try:
        rows = [strict_json.loads(line) for line in dict.fromkeys(lines)]
    except ValueError:
        return None
    return Rows(sorted(rows, key=itemgetter("epoch")))

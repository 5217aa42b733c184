"""Facts of another type in a ledger or a history whose digests are in order, as in a run that somebody else made.

A digest reveals damage, but not who wrote a file. Every reader refuses such a run in a message, or takes it for what it
says; it never ends in a traceback, and `ls` goes on with the other runs.
"""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lossrun.records import ledger
from lossrun.records.files import strict_json
from lossrun.records.files.digests import GrowingDigest
from tests.crash.in_process import problem_of, run
from tests.crash.other_files import CONFIG, restore
from tests.crash.outcomes import Outcome, share_of
from tests.crash.saved_state import at, places

OTHER_VALUES: tuple[Any, ...] = ("x", "\x1b[31m", None, [], {}, -1, 1.5, True, 10**30, [[[[1]]]])
COMMANDS = (
    ("ls",),
    ("ls", "--format", "json"),
    ("ls", "--format", "csv"),
    ("show", "evil"),
    ("compare", "good", "evil"),
    ("plot", "evil"),
    ("gc", "--yes"),
)


def attack(folder: Path, share: float, seed: int) -> Iterator[Outcome]:
    (folder / "config.yaml").write_text(CONFIG)
    for name, rate in (("good", "0.01"), ("evil", "0.02")):
        said = run(("train", "config.yaml", "--name", name, "--quiet", "--set", f"learning_rate={rate}"), folder)
        assert said.code == 0, said
    (evil,) = (folder / "runs").glob("*-evil")
    events, rows = (
        [strict_json.loads_plain(line) for line in (evil / name).read_bytes().splitlines()]
        for name in ("ledger.jsonl", "history.jsonl")
    )
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    for case, forged_events, forged_rows in share_of(mutants(events, rows), share, seed):
        write(evil, forged_events, forged_rows, events[-1]["history"])
        problems = [f"{' '.join(command)}: {found}" for command in COMMANDS if (found := believed(command, folder))]
        yield Outcome(case, "; ".join(problems))
        restore(folder, before)


def believed(command: tuple[str, ...], folder: Path) -> str:
    said = run(command, folder)
    if problem := problem_of(said):
        return problem
    if said.code not in ((0,) if command[0] == "ls" else (0, 4)):
        return f"exit {said.code}: {said.err[-200:]}"
    if command[0] == "ls" and "-good" not in said.out:
        return "the other run is not listed"
    return "a control character was printed as it is" if "\x1b" in said.out + said.err else ""


def mutants(events: list[Any], rows: list[Any]) -> Iterator[tuple[str, list[Any], list[Any]]]:
    """Yield what was changed, and the ledger's events and the history's rows with one key gone or of another type."""
    for place in places({"events": events, "rows": rows}):
        if len(place) < 3 or place[-1] in ("event", "time", "digest", "config_digest"):
            continue
        for what in ("drop", *OTHER_VALUES):
            both = copy.deepcopy({"events": events, "rows": rows})
            if what == "drop":
                del at(both, place[:-1])[place[-1]]
            else:
                at(both, place[:-1])[place[-1]] = what
            yield f"{json.dumps(what)[:20]}, {'.'.join(map(str, place))}", both["events"], both["rows"]


def write(run_path: Path, events: list[Any], rows: list[Any], mark: Any) -> None:
    """Write a run's small files so that all digests are right; `mark`: the history's before."""
    content = GrowingDigest()
    for row in rows:
        content.add(json.dumps(row).encode() + b"\n")
    (run_path / "history.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    facts = [
        {name: value for name, value in event.items() if name not in ("event", "time", "digest")} for event in events
    ]
    if facts[-1].get("history") == mark:  # unless that is what is forged
        facts[-1]["history"] = content.mark().facts()
    named = [(event["event"], more) for event, more in zip(events, facts, strict=True)]
    (run_path / "ledger.jsonl").write_bytes(ledger.lines(named))
    (run_path / "run.json").write_text(json.dumps(events[0].get("environment", {})))

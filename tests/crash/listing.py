"""Thousands of runs in `ls`, some of them damaged, and some of a time that is yet to come."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.crash.commands import new_folder, reference
from tests.crash.forks import forks
from tests.crash.outcomes import Outcome, count_of

RUNS = 5000
DAMAGES: dict[str, Callable[[Path], object]] = {
    "no-ledger": lambda run: (run / "ledger.jsonl").unlink(),
    "empty-ledger": lambda run: (run / "ledger.jsonl").write_bytes(b""),
    "changed-ledger": lambda run: flip(run / "ledger.jsonl"),
    "no-history": lambda run: (run / "history.jsonl").unlink(),
    "changed-history": lambda run: flip(run / "history.jsonl"),
    "no-json": lambda run: (run / "run.json").write_text("{"),
    "a-list": lambda run: (run / "run.json").write_text("[]"),
    "no-yaml": lambda run: (run / "config.yaml").write_bytes(b"\xff\xfe"),
    "empty-config": lambda run: (run / "config.yaml").write_bytes(b""),
    "a-folder": lambda run: ((run / "history.jsonl").unlink(), (run / "history.jsonl").mkdir()),
    "unreadable": lambda run: ((run / "history.jsonl").unlink(), (run / "history.jsonl").symlink_to("history.jsonl")),
}


def attack(folder: Path, share: float, seed: int) -> Iterator[Outcome]:
    count = count_of(RUNS, share)
    with forks("light") as light:
        with forks() as server:
            whole = reference(server, folder / "reference").path
        place = new_folder(folder / "listed")
        runs = place / "runs"
        for number in range(count):
            day, second = divmod(number, 86_400)
            copied(
                whole,
                runs / f"2026{day + 101:04d}-{second // 3600:02d}{second // 60 % 60:02d}{second % 60:02d}-n{number}",
            )
        copied(whole, runs / "20990101-000000-future")
        for name, damage in DAMAGES.items():
            damage(copied(whole, runs / f"20251111-111111-{name}"))
        listed = light.run(("ls", "--runs-dir", "runs", "--all"), place)
        if "No such option" in listed.err:
            listed = light.run(("ls",), place)
        said = listed.out + listed.err
        yield Outcome(f"{count:,} runs", listed.problem(0), f"{listed.seconds:.2f} s for {count:,} runs")
        for name in ("n0", f"n{count - 1}", "future"):
            yield Outcome(f"{name} is listed", "" if f"-{name}" in said else "it is not there")
        for name in DAMAGES:
            line = next((line for line in said.splitlines() if f"-{name}" in line), "")
            yield Outcome(f"{name} is listed", "" if line else "it is not there")
        for arguments in (("show", "last"), ("ls", "--format", "json"), ("ls", "--format", "csv"), ("gc", "--yes")):
            yield Outcome(" ".join(arguments), light.run(arguments, place).problem(0, 2, 4))


def copied(run: Path, to: Path) -> Path:
    """Copy what `ls` reads."""
    to.mkdir(parents=True)
    for path in run.iterdir():
        if path.is_file():
            shutil.copy(path, to)
    return to


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[content.index(b"0.") + 2] ^= 1
    path.write_bytes(content)

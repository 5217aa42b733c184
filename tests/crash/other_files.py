"""A flipped bit, a changed digit, lost or repeated lines, another run's content in any other file of a run or a sweep.

Its readers say so, and `ls` goes on.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from random import Random

from lossrun.records import checkpoints
from tests.crash import inline_pool
from tests.crash.in_process import Said, problem_of, run
from tests.crash.outcomes import Outcome, share_of

FLIPS, DIGITS, LENGTHS = 256, 64, 16
CONFIG = """\
dataset: {name: synthetic_regression, samples: 100, features: 3, standardize: {inputs: true, targets: true}}
model: {name: mlp, hidden: [4]}
loss: mse
optimizer: adam
learning_rate: 0.01
epochs: 3
seeds: 2
"""
SWEEP = ("sweep", "config.yaml", "--over", "learning_rate=0.01,0.02", "--jobs", "1", "--set", "name=swept")
RESUME = ("resume", "first", "--set", "epochs=4", "--quiet")
EVALUATE = ("evaluate", "first")
VERIFY = ("verify", "first")
COMPARE = ("compare", "first", "second", "third")
READERS: dict[str, Sequence[Sequence[str]]] = {
    "best weights": [EVALUATE, VERIFY],
    "predictions": [("compare", "first", "second", "--html", "page.html"), VERIFY],
    "history": [RESUME, EVALUATE, COMPARE, VERIFY],
    "ledger": [RESUME, EVALUATE, COMPARE, VERIFY],
    "run.json": [RESUME, EVALUATE, COMPARE, VERIFY],
    "config": [RESUME, EVALUATE, COMPARE, VERIFY],
    "preparation": [("predict", "first", "--input", "new.csv"), VERIFY],
    "sweep's config": [("resume", "swept")],
    "sweep's plan": [("resume", "swept"), ("compare", "swept")],
    "sweep's ledger": [("resume", "swept"), ("compare", "swept")],
}


# Words that report a damaged file without its name. A run with the ledger of another has also a wrong run.json.
TOLD = {
    "history.jsonl": ("lost part of its history", "history after step"),
    "ledger.jsonl": ("run.json: ", "config.yaml: ", "match the sweep's ledger", "history.jsonl: its first"),
}


def attack(folder: Path, share: float, seed: int) -> Iterator[Outcome]:
    with inline_pool.installed():
        yield from attacked(folder, share, seed)


def attacked(folder: Path, share: float, seed: int) -> Iterator[Outcome]:
    files = trained(folder)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    undamaged = {}
    for command in dict.fromkeys(command for commands in READERS.values() for command in commands):
        undamaged[command] = run(command, folder)
        assert undamaged[command].code == 0, (command, undamaged[command])
        restore(folder, before)
    cases = [
        (what, *damage)
        for what, path in files.items()
        for damage in (
            *damages(path, before[path], Random(seed)),
            *disorders(path, before[path], Random(seed)),
            *swaps(path, before),
        )
    ]
    for what, case, content in share_of(cases, share, seed):
        path = files[what]
        problems = []
        for command in (*READERS[what], ("ls",)):
            path.write_bytes(content)
            said = run(command, folder)
            page = folder / "page.html"
            told = said.words + (page.read_text() if page.exists() else "")
            usual = undamaged.get(command) if may_mean_the_same(content, before[path], path.suffix) else None
            if problem := believed(command, said, told, path, usual):
                problems.append(f"{command[0]}: {problem}")
            restore(folder, before)
        yield Outcome(f"{what}: {case}", "; ".join(problems))


def believed(command: Sequence[str], said: Said, told: str, path: Path, undamaged: Said | None) -> str:
    """Return what is wrong with how a command took a damaged file; "" if it noticed, or said what it says without."""
    if problem := problem_of(said):
        return problem
    if command[0] == "ls":
        return "" if said.code == 0 and "second" in said.out else f"exit {said.code}: {said.err[-200:]}"
    if path.name in told or any(words in told for words in TOLD.get(path.name, ())):
        return "" if said.code in (0, 4) else f"exit {said.code}: {said.err[-200:]}"
    if undamaged is not None and without_time(said) == without_time(undamaged):
        return ""
    return f"exit {said.code} without a word about {path.name}: {said.err[-200:]}"


def may_mean_the_same(content: bytes, before: bytes, suffix: str) -> bool:
    """Return whether only a comment, a blank, the way of writing a number, or the line ends may have changed."""
    return suffix in (".yaml", ".json") or content.replace(b"\r\n", b"\n") == before


def without_time(said: Said) -> tuple[int, str]:
    return said.code, re.sub(r"[\d.]+ m?s\b", "", said.out)


def trained(folder: Path) -> dict[str, Path]:
    """Train three runs and a sweep; return the files to damage."""
    (folder / "config.yaml").write_text(CONFIG)
    (folder / "new.csv").write_text("a,b,c\n1,2,3\n")
    for number, name in enumerate(("first", "second", "third")):
        changes = ("--set", f"learning_rate=0.0{number + 1}")
        said = run(("train", "config.yaml", "--name", name, "--quiet", *changes), folder)
        assert said.code == 0, said
    said = run(SWEEP, folder)
    assert said.code == 0, said
    (first,) = (folder / "runs").glob("*-first")
    (sweep,) = (folder / "runs").glob("*-swept")
    (best,) = checkpoints.best_files(first / "checkpoints")
    return {
        "best weights": best,
        "predictions": first / "predictions.npz",
        "history": first / "history.jsonl",
        "ledger": first / "ledger.jsonl",
        "run.json": first / "run.json",
        "config": first / "config.yaml",
        "preparation": first / "preparation.json",
        "sweep's config": sweep / "sweep.yaml",
        "sweep's plan": sweep / "plan.jsonl",
        "sweep's ledger": sweep / "ledger.jsonl",
    }


def damages(path: Path, content: bytes, draw: Random) -> Iterator[tuple[str, bytes]]:
    for place in sorted(draw.sample(range(8 * len(content)), FLIPS)):
        flipped = bytearray(content)
        flipped[place // 8] ^= 1 << place % 8
        yield f"bit {place} flipped", bytes(flipped)
    if path.suffix in (".jsonl", ".json", ".yaml"):
        digits = [place for place, byte in enumerate(content) if chr(byte).isdigit()]
        for place in sorted(draw.sample(digits, min(DIGITS, len(digits)))):
            changed = bytearray(content)
            changed[place] = ord(draw.choice([digit for digit in "0123456789" if ord(digit) != content[place]]))
            yield f"digit {place} changed", bytes(changed)


def disorders(path: Path, content: bytes, draw: Random) -> Iterator[tuple[str, bytes]]:
    """Yield the content cut, with something behind it, and with its lines lost, repeated, and in another order."""
    for length in sorted(draw.sample(range(len(content)), LENGTHS)):
        yield f"cut to {length} bytes", content[:length]
    yield "empty", b""
    yield "zeros", bytes(len(content))
    yield "a NUL byte behind it", content + b"\0"
    yield "garbage behind it", content + b"garbage"
    yield "itself behind it", content + content
    if path.suffix not in (".jsonl", ".json", ".yaml"):
        return
    yield "other line ends", content.replace(b"\n", b"\r\n")
    yield "a deep value behind it", content + b"[" * 100_000 + b"\n"
    yield "NaN behind it", content + b"NaN\n"
    lines = content.splitlines(keepends=True)
    for place in sorted(draw.sample(range(len(lines) - 1), min(LENGTHS, len(lines) - 1))):
        before, line, after = lines[:place], lines[place], lines[place + 1 :]
        yield f"line {place + 1} lost", b"".join((*before, *after))
        yield f"line {place + 1} twice", b"".join((*before, line, line, *after))
        if after[0] != line:
            yield f"line {place + 1} after the next", b"".join((*before, after[0], line, *after[1:]))


def swaps(path: Path, before: Mapping[Path, bytes]) -> Iterator[tuple[str, bytes]]:
    """Yield the content of the same file of another run."""
    others = [other for other in before if other.name == path.name and other.parent.name.endswith("-second")]
    for other in others:
        yield "another run's", before[other]


def restore(folder: Path, before: Mapping[Path, bytes]) -> None:
    """Bring back every file as it was."""
    for path in folder.rglob("*"):
        if path.is_file() and path not in before:
            path.unlink()
    for path, content in before.items():
        if not path.exists() or path.read_bytes() != content:
            path.write_bytes(content)

"""A flipped bit or a changed digit in any other file of a run or a sweep: its readers say so, and `ls` goes on."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from random import Random

from lossrun.records import checkpoints
from tests.crash import inline_pool
from tests.crash.in_process import Said, problem_of, run
from tests.crash.outcomes import Outcome, share_of

FLIPS, DIGITS = 256, 64
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
    cases = [(what, *damage) for what, path in files.items() for damage in damages(path, before[path], Random(seed))]
    for what, case, content in share_of(cases, share, seed):
        path = files[what]
        problems = []
        for command in (*READERS[what], ("ls",)):
            path.write_bytes(content)
            said = run(command, folder)
            page = folder / "page.html"
            told = said.words + (page.read_text() if page.exists() else "")
            if problem := believed(command, said, told, path, undamaged.get(command)):
                problems.append(f"{command[0]}: {problem}")
            restore(folder, before)
        yield Outcome(f"{what}: {case}", "; ".join(problems))


def believed(command: Sequence[str], said: Said, told: str, path: Path, undamaged: Said | None) -> str:
    """Return what is wrong with how a command took a damaged file; "" if it noticed, or said what it says without."""
    if problem := problem_of(said):
        return problem
    if command[0] == "ls":
        return "" if said.code == 0 and "second" in said.out else f"exit {said.code}: {said.err[-200:]}"
    if path.name in told:
        return "" if said.code in (0, 4) else f"exit {said.code}: {said.err[-200:]}"
    # A changed comment or blank, or 1e-8 for 1e-08, means the same.
    if path.suffix in (".yaml", ".json") and undamaged is not None and without_time(said) == without_time(undamaged):
        return ""
    return f"exit {said.code} without a word about {path.name}: {said.err[-200:]}"


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


def restore(folder: Path, before: Mapping[Path, bytes]) -> None:
    """Bring back every file as it was."""
    for path in folder.rglob("*"):
        if path.is_file() and path not in before:
            path.unlink()
    for path, content in before.items():
        if not path.exists() or path.read_bytes() != content:
            path.write_bytes(content)

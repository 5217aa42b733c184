"""Hostile content in every file, name and word that a command meets, with digests in order.

`malicious.py` puts the same dozen of contents in the place of each file; here each file gets what could harm its own
reader, as somebody would write it who knows the format.
"""

import shutil
import time
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

from tests.crash import hostile_arrays, hostile_names, hostile_records, hostile_tables, inline_pool
from tests.crash.hostile_cases import Command
from tests.crash.in_process import Said, problem_of, run
from tests.crash.outcomes import Outcome
from tests.crash.special_files import limited

MEMORY = 200 * 2**20  # bytes that a refusal may take
SECONDS = 2  # of the processor, more than the same command takes on good files; on a busy machine twice what it is
LIMIT = 300  # seconds by the clock, on a busy machine
CODES = (0, 2, 3, 4, 6)
MODULES = (hostile_records, hostile_arrays, hostile_tables, hostile_names)
CONFIG = """\
dataset: {name: csv, path: table.csv, target: y, task: multiclass, encode: one_hot, standardize: {inputs: true}}
model: {name: mlp, hidden: [4]}
loss: cross_entropy
optimizer: adam
learning_rate: 0.01
epochs: 2
seeds: 2
"""
SWEEP = ("sweep", "config.yaml", "--over", "learning_rate=0.01,0.02", "--jobs", "1", "--set", "name=swept")
# What may be printed in addition to letters: line ends, and what joins the signs of emoji and of some scripts.
ALLOWED = "\n\u200c\u200d\u00ad"


def attack(folder: Path, share: float, seed: int) -> Iterator[Outcome]:
    with inline_pool.installed():
        yield from attacked(folder, share, seed)


def attacked(folder: Path, share: float, seed: int) -> Iterator[Outcome]:
    trained, tried = folder / "trained", folder / "tried"
    make(trained)
    usual: dict[str, float] = {}
    draw = Random(seed)
    for case in (case for module in MODULES for case in module.cases()):
        for command in case.commands:
            if share < 1 and draw.random() >= share:
                continue
            if command[0] in USUAL and command[0] not in usual:
                for _ in range(2):  # the first time it imports what it needs
                    copied(trained, tried)
                    usual[command[0]] = measured(USUAL[command[0]], tried).cpu
            copied(trained, tried)
            case.write(tried)
            for earlier in case.first:
                run(earlier, tried)
            done = measured(command, tried)
            problem = harm(command, done, folder, tried, usual.get(command[0]))
            yield Outcome(printed(f"{case.what}: {' '.join(command)[:100]!r}"), problem)


@dataclass(frozen=True, slots=True)
class Measured:
    """What a command printed and took.

    Attributes:
        memory: The most bytes that it held in addition to what the process held before.
    """

    said: Said
    cpu: float
    memory: int


def measured(command: Command, folder: Path) -> Measured:
    before, peak = memory("VmRSS"), Path("/proc/self/clear_refs")
    if peak.exists():
        peak.write_text("5")  # forgets the most memory so far
    start = time.process_time()
    said = limited(command, folder, seconds=LIMIT)
    return Measured(said, time.process_time() - start, memory("VmHWM") - before)


def memory(name: str) -> int:
    """Return a line of /proc/self/status in bytes; 0 on other systems."""
    path = Path("/proc/self/status")
    lines = path.read_text().splitlines() if path.exists() else []
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(name)), 0)


def copied(source: Path, target: Path) -> None:
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target, symlinks=True)


def printed(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


# The same commands on good files: what they cost by themselves.
USUAL: dict[str, Command] = {
    "ls": ("ls",),
    "show": ("show", "evil"),
    "compare": ("compare", "evil", "good", "--html", "page.html"),
    "plot": ("plot", "evil", "-o", "plot.svg"),
    "gc": ("gc", "--yes"),
    "evaluate": ("evaluate", "evil"),
    "predict": ("predict", "evil", "--input", "new.csv"),
    "export": ("export", "evil", "-o", "exported", "--format", "tensorboard", "--format", "torch"),
    "resume": ("resume", "evil", "--set", "epochs=3"),
    "verify": ("verify", "evil"),
    "train": ("train", "config.yaml"),
    "check": ("check", "config.yaml"),
    "script": ("script", "config.yaml", "--as", "keras"),
}


def make(folder: Path) -> None:
    folder.mkdir()
    (folder / "config.yaml").write_text(CONFIG)
    (folder / "new.csv").write_text("a,b\n1,red\n2,blue\n")
    rows = (f"{n},{'red' if n % 2 else 'blue'},{'good' if n % 3 else 'bad'}\n" for n in range(60))
    (folder / "table.csv").write_text("a,b,y\n" + "".join(rows))
    for name, rate in (("good", "0.01"), ("evil", "0.02")):
        said = run(("train", "config.yaml", "--name", name, "--set", f"learning_rate={rate}"), folder)
        assert said.code == 0, said.err
    said = run(SWEEP, folder)
    assert said.code == 0, said.err


def harm(command: Command, done: Measured, folder: Path, tried: Path, usual: float | None) -> str:
    """Return what harm was done; "" if none. `usual`: seconds that such a command takes on good files."""
    said = done.said
    text = said.out + said.err
    if any((place / name).exists() for place in (tried, folder) for name in ("mark", "canary")):
        return "code in a file was run"
    if problem := problem_of(said) or ("" if said.code in CODES else f"exit {said.code}: {said.err[-300:]}"):
        return problem
    if said.code and done.memory > MEMORY:
        return f"it took {done.memory / 2**20:.0f} MiB to refuse"
    if said.code and usual is not None and done.cpu - usual > SECONDS:
        return f"it took {done.cpu:.1f} s to refuse"
    # A path that somebody named is printed as it is, for other programs.
    own = set("".join(command)) if command[0] in ("train", "export", "new") else set()
    found = {sign for sign in text if unicodedata.category(sign) in ("Cc", "Cf", "Zl", "Zp")} - set(ALLOWED) - own
    if found:
        return f"{sorted(found)} was printed as it is"
    if (folder / "outside").exists() or Path("/tmp/outside.npy").exists():
        return "it wrote outside of its folder"
    kept = tried / "kept"
    if kept.exists() and (kept / "file").read_text() != "ours\n":
        return "it changed a file behind a link"
    if not (kept if kept.exists() else tried).exists():
        return "it removed what is behind a link"
    if not any((tried / "runs").glob("*-good")):
        return "it removed another run"
    page = tried / "page.html"
    if page.exists() and any(markup in page.read_text() for markup in ("<img src=x", "</script><img", "<svg/onload")):
        return "the page holds markup that is not ours"
    return written(command, said.out)


def written(command: Command, out: str) -> str:
    """Return what harm the output does in another program; "" if none."""
    if "latex" in command and "\\input{" in out:
        return "LaTeX would read a file"
    if "csv" in command and (formula := next((cell for cell in cells(out) if is_formula(cell)), "")):
        return f"a spreadsheet would compute {formula[:30]!r}"
    if "md" in command and ("<img" in out or "<svg" in out):
        return "Markdown would become markup"
    return ""


def cells(out: str) -> Iterator[str]:
    import csv
    import io

    for row in csv.reader(io.StringIO(out)):
        yield from row


def is_formula(cell: str) -> bool:
    if cell[:1] not in tuple("=+-@\t\r") or len(cell) < 2:
        return False
    try:
        float(cell)
    except ValueError:
        return True
    return False

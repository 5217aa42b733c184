"""Files made to do harm, everywhere that lossrun reads one: nothing in them runs, and they are refused quickly.

A foreign run with code of its own is a program, as SECURITY.md says: the commands that list, compare, show and remove
never run it.
"""

import io
import json
import os
import pickle
import shutil
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from lossrun.records.checkpoint_headers import best_files, candidates
from lossrun.records.files.digests import of_bytes
from tests.crash.forks import Done, Forks, forks
from tests.crash.outcomes import Outcome, share_of

MEMORY = 200 * 2**20  # bytes that a refusal may take
SECONDS = 20  # on a busy machine; alone it is a fraction of one
EVIL = "a\x1b[31m\x1b]0;title\x07\u202eb</script><img src=x onerror=alert(1)>[bold red]{{7*7}}"
CONTROLS = ("\x1b[31m", "\x1b]0", "\x07", "\u202e")
CONFIG = """\
dataset: {name: csv, path: table.csv, target: y}
model: {name: mlp, hidden: [4]}
loss: mse
optimizer: adam
learning_rate: 0.01
epochs: 2
"""
# The user's own loss. It leaves a mark where somebody has armed it, so that it can be trained with before.
OWN_LOSS = """\
from pathlib import Path

if Path("armed").exists():
    Path("mark").touch()


def squares(outputs, targets):
    return (outputs - targets).square().mean(dim=1)
"""
CHANGED_LOSS = f"from pathlib import Path\nPath('mark').touch()\n{OWN_LOSS}"


def reading(run: str) -> tuple[tuple[str, ...], ...]:
    """Return commands on a run that never run its code."""
    return (("show", run), ("compare", run, "good"), ("plot", run), ("gc", "--yes"), ("ls",))


def computing(run: str) -> tuple[tuple[str, ...], ...]:
    """Return commands that may run its code, if it is the code that the run recorded."""
    return (
        ("evaluate", run),
        ("verify", run),
        ("export", run, "-o", "exported"),
        ("predict", run, "--input", "table.csv"),
    )


RUN_COMMANDS = (*computing("evil"), ("resume", "evil", "--set", "epochs=3"), *reading("evil"))


class Canary:
    """An object whose pickle leaves a file when it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return os.mkdir, (str(self.path),)


def attack(folder: Path, share: float, seed: int) -> Iterator[Outcome]:
    with forks() as server:
        trained = folder / "trained"
        make_runs(server, trained)
        known = server.run(("ls",), trained).memory
        attacks = [*files_of_a_run(folder), *data_files(folder), *names(), *foreign_code()]
        cases = [(what, place, content, command) for what, place, content, commands in attacks for command in commands]
        for what, place, content, command in share_of(cases, share, seed):
            tried = folder / "tried"
            shutil.copytree(trained, tried, symlinks=True)
            write_to(tried, place, content)
            done = server.run(command, tried, limit=SECONDS)
            yield Outcome(f"{what}: {' '.join(command)[:60]}", harm(done, folder, tried, known))
            shutil.rmtree(tried)
            shutil.rmtree(folder / "canary", ignore_errors=True)


def harm(done: Done, folder: Path, tried: Path, known: int) -> str:
    """Return what harm was done; "" if none."""
    if (folder / "canary").exists() or (tried / "mark").exists():
        return "code in a file was run"
    if problem := done.problem(0, 2, 3, 4):
        return problem
    if done.memory - known > MEMORY:
        return f"it took {(done.memory - known) / 2**20:.0f} MiB"
    if found := [control for control in CONTROLS if control in done.out + done.err]:
        return f"{found[0]!r} was printed as it is"
    if outside := [path for path in folder.iterdir() if path.name in ("outside", "escaped")]:
        return f"it wrote {outside[0].name}, outside of its folder"
    page = tried / "page.html"
    if page.exists() and ("<img src=x" in page.read_text() or "</script><img" in page.read_text()):
        return "the page holds markup that is not ours"
    return ""


def make_runs(server: Forks, folder: Path) -> None:
    folder.mkdir()
    (folder / "config.yaml").write_text(CONFIG)
    (folder / "table.csv").write_text("a,y\n" + "".join(f"{n},{2 * n}.5\n" for n in range(60)))
    for name, rate in (("good", "0.01"), ("evil", "0.02")):
        done = server.run(("train", "config.yaml", "--name", name, "--set", f"learning_rate={rate}"), folder)
        assert done.code == 0, done.err
    (folder / "own_loss.py").write_text(OWN_LOSS)
    done = server.run(("train", "config.yaml", "--name", "foreign", "--set", "loss=own_loss:squares"), folder)
    assert done.code == 0, done.err


Found = tuple[str, str, bytes | Callable[[Path], object], tuple[tuple[str, ...], ...]]


def write_to(folder: Path, place: str, content: bytes | Callable[[Path], object]) -> None:
    """Put a content in the place of a file: `best` and `newest` are files of the run `evil`, with true digests."""
    (run,) = (folder / "runs").glob("*-evil")
    if place in ("best", "newest"):
        old = (best_files if place == "best" else candidates)(run / "checkpoints")[0]
        assert isinstance(content, bytes)
        start = old.name.rpartition("-")[0]
        for path in candidates(run / "checkpoints") if place == "newest" else [old]:
            path.unlink()
        (run / "checkpoints" / f"{start}-{of_bytes(content)}.safetensors").write_bytes(content)
        return
    path = run / place.removeprefix("run/") if place.startswith("run/") else folder / place
    if callable(content):
        path.unlink(missing_ok=True)
        content(path)
    else:
        path.write_bytes(content)


def bombs(folder: Path) -> dict[str, bytes]:
    """Return contents that harm a reader that takes them for something else, or believes what they say."""
    canary = pickle.dumps(Canary(folder / "canary"))
    objects = io.BytesIO()
    np.savez(objects, ids=np.array([Canary(folder / "canary")], object), outputs=np.zeros(3), targets=np.zeros(3))
    tensors = {"model.x": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]}}
    overlapping = {
        "__metadata__": {"lossrun": "{}"},
        **{f"model.{name}": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]} for name in "ab"},
    }
    return {
        "a pickle": canary,
        "a pickle in a zip": zipped({"archive/data.pkl": canary, "archive/version": b"3"}),
        "arrays of objects": objects.getvalue(),
        "a header of 100 MB": struct.pack("<Q", 100_000_000) + b'{"a":' + b" " * 99_999_990 + b"1}",
        "a header longer than the file": struct.pack("<Q", 2**63) + b"{}",
        "tensors of 4 TB": header(tensors),
        "overlapping tensors": header(overlapping) + bytes(16),
        "a deep header": struct.pack("<Q", 200_000) + b"[" * 100_000 + b"]" * 100_000,
        "deep JSON": b'{"a": ' * 100_000 + b"1" + b"}" * 100_000,
        "a number of a million digits": b'{"event": "started", "time": "x", "a": ' + b"9" * 1_000_000 + b"}\n",
        "a zip bomb": zipped({"ids.npy": array_of_zeros(10**10), "outputs_seed0.npy": array_of_zeros(1)}),
        "a zip with a way out": zipped({"../../outside.npy": array_of_zeros(10), "/tmp/x.npy": b""}),
        "an array that says it has 10^12 numbers": zipped({"ids.npy": array_of_zeros(10, claimed=10**12)}),
        "YAML with a tag": b"dataset: !!python/object/apply:os.mkdir ['canary']\n",
        "an alias bomb": b"a0: &a0 [x, x]\n"
        + b"".join(b"a%d: &a%d [*a%d, *a%d, *a%d]\n" % (n, n, n - 1, n - 1, n - 1) for n in range(1, 60)),
        "nothing": b"",
        "JSON of another kind": b"[1, 2, 3]\n",
        "NaN": b'{"event": NaN}\n',
        "not UTF-8": b"\xff\xfe\x00\x80" * 100,
    }


def files_of_a_run(folder: Path) -> Iterator[Found]:
    places = ("best", "newest", "run/predictions.npz", "run/history.jsonl", "run/ledger.jsonl", "run/run.json")
    places += ("run/config.yaml", "run/preparation.json", "run/owner.json", "run/lock")
    for what, content in bombs(folder).items():
        for place in places:
            yield f"{what} as {place}", place, content, RUN_COMMANDS
    special: dict[str, Callable[[Path], object]] = {
        "a pipe": os.mkfifo,
        "/dev/zero": lambda path: path.symlink_to("/dev/zero"),
        "a sparse file of 1 TB": sparse,
        "a folder": Path.mkdir,
    }
    for what, make in special.items():
        for place in places[2:]:
            yield f"{what} as {place}", place, make, RUN_COMMANDS


def sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(2**40)


def data_files(folder: Path) -> Iterator[Found]:
    """Yield files that a config names."""
    npz = "{name: npz, path: %s, target: y}"
    for what, content in bombs(folder).items():
        for name, dataset in (("evil.npz", npz % "evil.npz"), ("evil.csv", "{name: csv, path: evil.csv, target: y}")):
            yield f"{what} as {name}", name, content, (("train", "config.yaml", "--set", f"dataset={dataset}"),)
        yield f"{what} to predict", "new.csv", content, (("predict", "evil", "--input", "new.csv"),)
    bomb = zipped({"x.npy": array_of_zeros(10**10), "y.npy": array_of_zeros(10**10)})
    for command in ("train", "check"):
        yield (
            "a zip bomb as data",
            "evil.npz",
            bomb,
            ((command, "config.yaml", "--set", f"dataset={npz % 'evil.npz'}"),),
        )


def foreign_code() -> Iterator[Found]:
    """Yield ways in which code of a run may be another than it was trained with, or do harm from the beginning."""

    def change_original(path: Path) -> None:
        path.write_text(CHANGED_LOSS)

    def change_copy(path: Path) -> None:
        (copy,) = path.parent.glob("runs/*-foreign/source/own_loss.py")
        copy.write_text(CHANGED_LOSS)

    def change_both(path: Path) -> None:
        change_original(path)
        change_copy(path)

    resume = ("resume", "foreign", "--set", "epochs=3")
    every = (*computing("foreign"), *reading("foreign"), ("rm", "foreign", "--yes"))
    yield "code that does harm", "armed", b"", (*reading("foreign"), ("rm", "foreign", "--yes"))
    yield "the run's copy of its code changed, and the code gone", "own_loss.py", change_copy, (*every, resume)
    # Where a run was started, `resume` takes the code as it is now, and says so: it is the user's own.
    yield "the code changed", "own_loss.py", change_original, every
    yield "the code and its copy changed", "own_loss.py", change_both, every


def names() -> Iterator[Found]:
    """Yield names that lead elsewhere, or that are markup, wherever a name can stand."""
    config = json.dumps(EVIL)
    table = f'"{EVIL}",y\n'.replace("\x07", "") + "".join(f"{n},{2 * n}\n" for n in range(60))
    words = f"a,y\n{'1,good'}\n" + "".join(f'{n},"{EVIL.replace(chr(7), "")}"\n2,b\n' for n in range(30))
    evil_table = ("--set", "dataset={name: csv, path: evil.csv, target: y}")
    for name in ("../outside", "/tmp/outside", "..", ".", "a/../../outside", EVIL, "-rf", "x" * 10_000):
        yield f"--name {name[:40]!r}", "new.csv", b"", (("train", "config.yaml", "--name", name),)
        yield f"--tag {name[:40]!r}", "new.csv", b"", (("train", "config.yaml", "--tag", name),)
        for command in ("show", "rm", "evaluate", "resume", "compare"):
            yield f"a run called {name[:40]!r}", "new.csv", b"", ((command, name),)
    for what, content in (("a column", table), ("a class", words)):
        task = ("--set", "loss=cross_entropy") if what == "a class" else ()
        yield (
            f"{what} called in an evil way",
            "evil.csv",
            content.encode(),
            (("train", "config.yaml", *evil_table, *task),),
        )
    quoted = f"name: {config}\ntags: [{config}]\n{CONFIG}"
    yield "names in a config", "evil.yaml", quoted.encode(), (("train", "evil.yaml"), ("check", "evil.yaml"))
    # Facts of a run that somebody else made, digests and all.
    for fact in ("host", "git_commit", "command"):
        yield f"{fact} of a run", "run/run.json", json.dumps({fact: EVIL}).encode(), (("show", "evil"), ("ls",))
    page = ("compare", "evil", "good", "--html", "page.html")
    rows = "".join(
        json.dumps({"epoch": n, "step": n, "seed": 0, "train_loss": 1.0, "val_loss": 1.0, f"val_{EVIL}": 0.5}) + "\n"
        for n in (1, 2)
    )
    yield "columns of a history", "run/history.jsonl", rows.encode(), (("show", "evil"), page, ("plot", "evil"))


def zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def array_of_zeros(count: int, claimed: int = 0) -> bytes:
    """Return a .npy of at most 100 MB zeros, which may say that it has more."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (claimed or count,)})
    return header.getvalue() + bytes(min(8 * count, 100_000_000))


def header(tensors: dict[str, object]) -> bytes:
    text = json.dumps(tensors).encode()
    return struct.pack("<Q", len(text)) + text

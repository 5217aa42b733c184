"""Configs and `--set`s that are wrong in every way: exit 2 or 3 with the place, without torch, and without a run."""

import os
import re
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from lossrun.config import read
from lossrun.errors import ConfigError
from tests.crash.forks import Done, forks
from tests.crash.outcomes import Outcome, count_of, share_of

TEXTS = 3000
MEMORY = 200 * 2**20  # bytes that a refusal may take
SECONDS = 20  # on a busy machine; alone it is a fraction of one
HUGE = 10**12
BASE = """\
dataset: {name: synthetic_regression, samples: 100, features: 3}
model: {name: mlp, hidden: [4]}
loss: mse
optimizer: adam
learning_rate: 0.01
epochs: 3
"""
# Values that are wrong where they stand.
VALUES: dict[str, tuple[str, ...]] = {
    "learning_rate": ("-1", "nan", "inf", "-inf", "1e400", "fast", "true", "[1]", "{a: 1}", "''", "0x1g", "1_0"),
    "epochs": ("-1", "0", "1.5", "ten", "true", "[1]", "1e3.5", "{}"),
    "batch_size": ("0", "-1", "1.5", "all", "true", "[2]"),
    "seeds": ("0", "-1", "[]", "[0, 0]", "[-1]", "many", "[1.5]", "true", str(HUGE)),
    "seed": ("-1", "1.5", "x"),
    "dataset": (
        *("nope", "3", "[]", "{}", "{name: csv}", "{name: csv, path: gone.csv, target: y}", "{name: npz, path: 3}"),
        f"{{name: synthetic_regression, samples: {HUGE}}}",
        f"{{name: synthetic_regression, samples: 10, features: {HUGE}}}",
        *(f"{{name: synthetic_regression, samples: {bad}}}" for bad in ("-1", "0", "1.5", "x", "true")),
        *(f"{{name: synthetic_regression, validation: {bad}}}" for bad in ("2.5", "-0.1", HUGE, "x")),
        *(f"{{name: synthetic_regression, test: {bad}}}" for bad in ("-3", HUGE, "1.0")),
        "{name: inline, inputs: [[1], [2, 3]], targets: [1, 2]}",
        "{name: inline, inputs: [[1], [2]], targets: [1]}",
        "{name: inline, inputs: [], targets: []}",
        "{name: 'no_such_module:points'}",
        "{name: 'os:nothing_here'}",
        "{name: ':'}",
    ),
    "model": (
        *(f"{{name: mlp, hidden: [{bad}]}}" for bad in (HUGE, "0", "-1", "1.5", "x", "[4]", "true")),
        *(f"{{name: mlp, dropout: {bad}}}" for bad in ("1", "-0.5", "nan", "x")),
        *("nope", "{name: mlp, activation: nope}", "{name: mlp, output: nope}", "{name: mlp, hiden: [4]}", "[]", "7"),
        "{name: mlp, init: {name: normal, std: -1}}",
        f"{{name: cnn, layers: [{{name: conv, filters: {HUGE}}}]}}",
        "{name: cnn, layers: []}",
    ),
    "loss": ("nope", "{name: huber, delta: 0}", "{name: huber, delta: x}", "{delta: 1}", "[mse]", "3", "cross_entropy"),
    "optimizer": (
        *("nope", "{name: adam, betas: [1, 1]}", "{name: adam, betas: 3}", "{name: adam, eps: -1}", "[adam]"),
        *("{name: sgd, momentum: 1.5}", "{name: sgd, weight_decay: -1}", "{name: sgd, momentun: 0.9}", "{lr: 3}"),
    ),
    "schedule": ("nope", "{name: step, every: 0}", "{name: cosine, warmup_epochs: -1}", "{name: multi_step}"),
    "early_stopping": ("-1", "{patience: 0}", "{metric: val_nope, patience: 3}", "x"),
    "checkpoint": ("0 epochs", "often", "{every: -1 steps}", "{keep: 0}"),
    "precision": ("float128", "16"),
    "device": ("tpu", "cuda:x"),
    "unheard_of": ("3", "{a: 1}"),
    "lr": ("0.1",),
    "\u202eevil": ("1",),
    "'\\e[31mred'": ("1",),
}
# Texts that are not configs at all.
TEXT_CASES: dict[str, bytes] = {
    "empty": b"",
    "a comment": b"# nothing\n",
    "a list": b"- a\n- b\n",
    "a word": b"hello\n",
    "a number": b"3\n",
    "an unclosed bracket": b"dataset: [1, 2\nmodel: mlp\n",
    "an unclosed quote": b"dataset: 'x\n",
    "a tab": b"dataset:\n\tname: mnist\n",
    "two keys of one name": BASE.encode() + b"epochs: 4\n",
    "an alias": b"dataset: &a {name: x}\nmodel: *a\n",
    "a bomb of aliases": b"a: &a [x, x]\n"
    + b"".join(b"%c: &%c [*%c, *%c]\n" % (n + 1, n + 1, n, n) for n in range(97, 117)),
    "a tag": b"dataset: !!python/object/apply:os.system ['touch canary']\n",
    "another tag": b"dataset: !!python/name:os.system\n",
    "two documents": BASE.encode() + b"---\n" + BASE.encode(),
    "a merge": b"dataset: {<<: {name: mnist}}\n",
    "a key that is a list": b"? [a, b]\n: 3\n",
    "a key that is a number": b"3: 4\n",
    "deep": b"a: " + b"[" * 10_000 + b"]" * 10_000,
    "deep mappings": b"a: " + b"{a: " * 5_000 + b"1" + b"}" * 5_000,
    "wide": b"a: [" + b"1," * 120_000 + b"]",
    "long": b"a: " + b"x" * 2**20,
    "NUL bytes": b"a: \0\0\n",
    "UTF-16": BASE.encode("utf-16"),
    "Latin-1": "dataset: caf\xe9\n".encode("latin-1"),
    "control characters": b"a: \x01\x1b[2J\n",
    "escapes in a key": b'"\\e]0;title\\a": 3\n',
    "half a surrogate": b'a: "\\ud800"\n',
    "JSON with a tail": b'{"dataset": "mnist"} x\n',
    "a very long number": b"epochs: " + b"9" * 5000 + b"\n",
    "a number with a large exponent": b"learning_rate: 1e" + b"9" * 50 + b"\n",
    "an HTML page": b"<!DOCTYPE html><html><body>404</body></html>\n",
    "a pickle": b"\x80\x04\x95\x1a\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94\x8c\x06system\x94\x93\x94.",
}
# They are about a file as a whole.
PLACELESS = ("empty", "a comment", "a list", "a word", "a number", "long", "an HTML page")
OVERRIDES = (
    *("x", "=3", "learning_rate", "learning_rate=[", "learning_rate=x", "loss.delta.x=3", "..=3", ".=1", "a.=1"),
    *("model.hidden[0]=3", "epochs=1e99", f"dataset.samples={HUGE}", "=", "a b=3"),
    *("loss=!!python/name:os.system", "loss=*a", "dataset={", "epochs=null null", f"model.hidden=[{HUGE}]"),
    *("learning_rate=" + "9" * 5000, "a" * 100_000 + "=1", "x=" + "[" * 5000, "\u202eepochs=3", "epochs=\x1b[31m3"),
    *("optimizer.lr=0.1", "criterion=mse", "max_epochs=3", "validation_split=0.1", "loss.name=3", "seeds=[0,0]"),
)


def attack(folder: Path, share: float, seed: int) -> Iterator[Outcome]:
    with forks("light") as server:
        known = server.run(("--version",), folder).memory
        for case, arguments, has_place in share_of(cases(folder), share, seed):
            done = server.run(("train", *arguments), folder, limit=SECONDS)
            yield Outcome(case, taken(done, folder, known, has_place))
    yield from any_texts(folder, count_of(TEXTS, share), seed)


def taken(done: Done, folder: Path, known: int, has_place: bool) -> str:
    """Return what is wrong with how a config was refused."""
    if made := [name for name in ("runs", "canary") if (folder / name).exists()]:
        for name in made:
            shutil.rmtree(folder / name, ignore_errors=True)
        return f"{made} were made of it"
    if problem := done.problem(2, 3):
        return problem
    if done.torch:
        return "torch was imported"
    if done.memory - known > MEMORY:
        return f"it took {(done.memory - known) / 2**20:.0f} MiB"
    if any(character in done.err + done.out for character in "\x1b\u202e\x07"):
        return "what is not ours was printed as it is"
    if has_place and done.code == 2 and not re.search(r":\d+:\d+: |--set", done.err):
        return f"no line and column: {done.err[:200]}"
    return ""


def cases(folder: Path) -> Iterator[tuple[str, list[str], bool]]:
    """Yield each case in words, the arguments of `train`, and whether the message is to name a line and a column."""

    def written(number: int, content: bytes) -> str:
        path = folder / f"bad{number}.yaml"
        path.write_bytes(content)
        return path.name

    number = 0
    for key, values in VALUES.items():
        for value in values:
            number += 1
            lines = [line for line in BASE.splitlines() if not line.startswith(f"{key}:")]
            name = written(number, "\n".join([*lines, f"{key}: {value}", ""]).encode())
            yield f"{key}: {value}", [name], True
    for what, content in TEXT_CASES.items():
        number += 1
        yield what, [written(number, content)], what not in PLACELESS
    base = written(0, BASE.encode())
    for override in OVERRIDES:
        yield f"--set {override[:60]}", [base, "--set", override], True
    for name, make in special_files(folder).items():
        make()
        yield name, [name], False


def special_files(folder: Path) -> dict[str, Callable[[], object]]:
    def bound() -> None:
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(os.path.relpath(folder / "socket.yaml"))

    def sparse() -> None:
        with (folder / "sparse.yaml").open("wb") as file:
            file.truncate(10 * HUGE)

    return {
        "fifo.yaml": lambda: os.mkfifo(folder / "fifo.yaml"),
        "zero.yaml": lambda: (folder / "zero.yaml").symlink_to("/dev/zero"),
        "random.yaml": lambda: (folder / "random.yaml").symlink_to("/dev/urandom"),
        "null.yaml": lambda: (folder / "null.yaml").symlink_to("/dev/null"),
        "loop.yaml": lambda: (folder / "loop.yaml").symlink_to("loop.yaml"),
        "folder.yaml": lambda: (folder / "folder.yaml").mkdir(),
        "socket.yaml": bound,
        "gone.yaml": lambda: None,
        "sparse.yaml": sparse,
    }


# Whole texts, and configs with something strange in one place.
STRANGE = st.one_of(
    st.text(max_size=40),
    st.sampled_from([*(value for values in VALUES.values() for value in values), *OVERRIDES[:20]]),
    st.floats().map(str),
    st.integers().map(str),
)
LINES = st.tuples(st.sampled_from([*list(VALUES)[:16], "x"]), STRANGE).map(": ".join)
ANY_TEXT = st.one_of(
    st.text(max_size=200),
    st.lists(LINES, max_size=6).map("\n".join),
    st.lists(LINES, max_size=3).map(lambda lines: BASE + "\n".join(lines)),
    st.tuples(st.integers(0, len(BASE)), st.text(max_size=10)).map(lambda at: BASE[: at[0]] + at[1] + BASE[at[0] :]),
)


def any_texts(folder: Path, count: int, seed: int) -> Iterator[Outcome]:
    """Yield an outcome for each text: it is a config, or refused as one."""
    found: list[Outcome] = []

    @settings(
        max_examples=count,
        deadline=None,
        phases=(Phase.generate,),
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @hypothesis.seed(seed)
    @given(ANY_TEXT)
    def tried(text: str) -> None:
        path = folder / "any.yaml"
        path.write_bytes(text.encode(errors="surrogatepass"))
        problem = ""
        try:
            read(path)
        except ConfigError as error:
            nameless = [one for one in error.problems if not one.startswith(str(path))]
            problem = f"no file: {nameless[0]}" if nameless else ""
        except Exception as error:
            problem = f"{type(error).__name__}: {error}"
        found.append(Outcome(repr(text)[:200], problem))

    tried()
    yield from found

"""Hostile JSON and YAML in the records of a run and a sweep, with every digest in order."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.crash import sealed
from tests.crash.hostile_cases import COMPUTING, EVIL, READING, Command, Hostile, on_run, on_sweep

DEEP = 100_000
# JSON texts that a writer of ours would never write.
VALUES: dict[str, str] = {
    "2^63": str(2**63),
    "-2^64": str(-(2**64)),
    "an integer of 400 digits": "9" * 400,
    "an integer of 5,000 digits": "9" * 5000,
    "1e400": "1e400",
    "-1e400": "-1e400",
    "1e-400": "1e-400",
    "-0.0": "-0.0",
    "NaN": "NaN",
    "-Infinity": "-Infinity",
    "a lone surrogate": r'"\ud800"',
    "a NUL": r'"\u0000"',
    "deep lists": "[" * DEEP + "]" * DEEP,
    "deep objects": '{"a":' * DEEP + "1" + "}" * DEEP,
    "10 MB of text": '"' + "x" * 10**7 + '"',
    "a million numbers": "[" + "0," * 999_999 + "0]",
    "evil text": json.dumps(EVIL),
    "a key twice": '{"a": 1, "a": 2}',
    "a formula": "\"=cmd|' /C calc'!A0\"",
}
TIMES = (
    "+1000000000-01-01T00:00:00+00:00",
    "9999-12-31T23:59:59-14:00",
    "0001-01-01T00:00:00+14:00",
    "0000-00-00T00:00:00+00:00",
    "2026-12-01T09:17:38",
    "2026-12-01T09:17:38+99:99",
    "2026-12-01",
    "٢٠٢٦-١٢-٠١T٠٩:١٧:٣٨+٠٠:٠٠",
    "2026-12-01T09:17:38+00:00\x1b[31m",
)
NUMBERS = ("-1", "0", "1e18", str(2**31), str(2**62), "1.0", "true", '"1"')

LOOKING: tuple[Command, ...] = (("ls",), ("show", "evil"), ("compare", "evil", "good"))


def cases() -> Iterator[Hostile]:
    yield from values()
    yield from times()
    yield from counts()
    yield from paths()
    yield from preparations()
    yield from whole_lines()
    yield from run_configs()
    yield from sweeps()


def values() -> Iterator[Hostile]:
    for what, raw in VALUES.items():
        for place in ((0, "time"), (0, "epochs"), (0, "config", "name"), (0, "config", "epochs")):
            yield on_run(f"{what} at {place} of the ledger", sealed.in_ledger(place, raw), *LOOKING)
        for place in ((-1, "seconds"), (-1, "seeds", "0", "best_epoch"), (-1, "best_weights")):
            yield on_run(
                f"{what} at {place} of the ledger", sealed.in_ledger(place, raw), *LOOKING, ("evaluate", "evil")
            )
        for key in ("epoch", "seed", "val_loss", "seconds"):
            yield on_run(
                f"{what} as {key} in a history",
                sealed.in_history(0, (key,), raw),
                ("ls",),
                ("show", "evil"),
                ("plot", "evil", "--x", "seconds"),
                ("resume", "evil", "--set", "epochs=3"),
            )
        for place in (("threads",), ("classes", 0), ("samples", "train"), ("command",), ("chunks",)):
            yield on_run(
                f"{what} at {place} of run.json",
                sealed.in_environment(place, raw),
                ("ls",),
                ("show", "evil"),
                ("evaluate", "evil"),
            )
        for place in (
            ("forms", 0, "form", "input_shape"),
            ("forms", 0, "form", "classes", 0),
            ("forms", 0, "form", "columns", 0, "name"),
            ("forms", 0, "form", "input_scaling", "mean"),
            ("forms", 0, "form", "width"),
            ("seeds", "0"),
            ("forms", 0, "facts", "inputs"),
        ):
            yield on_run(
                f"{what} at {place} of preparation.json",
                sealed.in_preparation(place, raw),
                ("predict", "evil", "--input", "new.csv"),
                ("show", "evil"),
            )
        for place in (("changes", "learning_rate"), ("directory",), ("pair", "loss"), ("config", "seeds", 0)):
            yield on_sweep(f"{what} at {place} of a plan", sealed.in_plan(0, place, raw), ("ls",), ("compare", "swept"))
        for place in ((0, "time"), (0, "seeds"), (0, "metric"), (-1, "failed")):
            yield on_sweep(
                f"{what} at {place} of a sweep's ledger", sealed.in_ledger(place, raw), ("ls",), ("compare", "swept")
            )


def times() -> Iterator[Hostile]:
    for time in TIMES:
        for number in (0, -1):
            yield on_run(
                f"the time {time!r} at event {number}",
                sealed.in_ledger((number, "time"), json.dumps(time)),
                *LOOKING,
                ("ls", "--sort", "started"),
                ("gc", "--older-than", "30d", "--yes"),
                ("resume", "evil", "--set", "epochs=3"),
            )
        yield on_sweep(
            f"the time {time!r} in a sweep",
            sealed.in_ledger((0, "time"), json.dumps(time)),
            ("ls",),
            ("show", "swept"),
            ("resume", "swept"),
        )


def counts() -> Iterator[Hostile]:
    """Yield negative, huge and wrongly typed epochs, steps, seeds and sizes."""
    for raw in NUMBERS:
        for key in ("epoch", "step", "seed"):
            yield on_run(
                f"{raw} as {key} in a history",
                sealed.in_history(1, (key,), raw),
                *LOOKING,
                ("plot", "evil"),
                ("resume", "evil", "--set", "epochs=3"),
            )
        for place in (("threads",), ("processes",), ("chunks", 0), ("samples", "train")):
            yield on_run(
                f"{raw} at {place} of run.json",
                sealed.in_environment(place, raw),
                ("show", "evil"),
                ("evaluate", "evil"),
                ("verify", "evil"),
                ("resume", "evil", "--set", "epochs=3"),
            )
        for place in ((-1, "epoch"), (-1, "step"), (-1, "history", "length"), (0, "epochs")):
            yield on_run(
                f"{raw} at {place} of the ledger",
                sealed.in_ledger(place, raw),
                *LOOKING,
                ("resume", "evil", "--set", "epochs=3"),
            )
    for seed in ("-1", "٠", "0\n", "9" * 5000, "1e3", " 0", "0x0", ""):
        text = json.dumps({seed: {"best_epoch": 1, "best_step": 1, "stopped_epoch": None, "diverged_epoch": None}})
        yield on_run(f"the seed {seed[:9]!r} in the end", sealed.in_ledger((-1, "seeds"), text), *LOOKING)
    for device in ("cuda:99", "meta", "cpu\x00", "../x", "mps", "privateuseone"):
        text = json.dumps(device)
        yield on_run(f"the device {device!r}", sealed.in_environment(("device",), text), *COMPUTING, ("show", "evil"))
    many = json.dumps({f"val_column{number}": number for number in range(20_000)})
    yield on_run(
        "20,000 columns in a history",
        lambda run: sealed.with_history(run, _row(run, json.loads(many))),
        ("ls",),
        ("show", "evil"),
        ("compare", "evil", "good"),
    )


def _row(run: Path, more: dict[str, Any]) -> bytes:
    rows = sealed.events_of(run / "history.jsonl")
    return b"".join(json.dumps({**row, **more}).encode() + b"\n" for row in rows)


def paths() -> Iterator[Hostile]:
    """Yield names of files in the records that lead elsewhere."""
    for text in (
        "../../../outside",
        "/etc/passwd",
        "..",
        ".",
        "",
        "\x00",
        "/dev/zero",
        "x" * 5000,
        "best-\n.safetensors",
    ):
        raw = json.dumps(text)
        yield on_run(
            f"best weights {text[:20]!r}",
            sealed.in_ledger((-1, "best_weights"), raw),
            ("evaluate", "evil"),
            ("gc", "--yes"),
            ("show", "evil"),
        )
        for place in (("directory",), ("data_dir",), ("from_runs_dir",), ("data_from_runs_dir",)):
            yield on_run(
                f"{place[0]} {text[:20]!r}",
                sealed.in_environment(place, raw),
                ("evaluate", "evil"),
                ("show", "evil"),
                ("train", "config.yaml", "--name", "evil", "--resume-or-start"),
            )
        code = json.dumps({text: "0" * 16, "own_loss.py": "1" * 16})
        yield on_run(
            f"own source called {text[:20]!r}",
            sealed.in_environment(("code",), code),
            ("show", "evil"),
            ("evaluate", "evil"),
            ("resume", "evil", "--set", "epochs=3"),
        )
        yield on_sweep(
            f"a cell in {text[:20]!r}",
            sealed.in_plan(0, ("directory",), raw),
            ("ls",),
            ("compare", "swept"),
            ("resume", "swept"),
            ("rm", "swept", "--yes"),
            ("gc", "--yes"),
        )
        yield on_sweep(
            f"a stack in {text[:20]!r}",
            sealed.in_plan(0, ("stack",), raw),
            ("compare", "swept"),
            ("resume", "swept"),
            ("rm", "swept", "--yes"),
            ("gc", "--yes"),
        )
    for text in ("../{good}", "{good}"):
        yield on_sweep(
            f"a cell in {text!r}",
            lambda sweep, text=text: sealed.in_plan(  # type: ignore[misc]
                0, ("directory",), json.dumps(text.format(good=sealed.run_called(sweep.parents[1], "good").name))
            )(sweep),
            ("ls",),
            ("compare", "swept"),
            ("resume", "swept"),
            ("rm", "swept", "--yes"),
        )


def preparations() -> Iterator[Hostile]:
    """Yield what is wrong with what `predict` believes about the training data."""
    predicting: tuple[Command, ...] = (
        ("predict", "evil", "--input", "new.csv"),
        ("predict", "evil", "--input", "new.npz"),
        ("export", "evil", "-o", "exported"),
    )
    form = ("forms", 0, "form")
    changed: dict[sealed.Place, tuple[Any, ...]] = {
        (*form, "format"): (2, 0, -1, "1", None),
        (*form, "task"): ("evil", "", 0, None, "regression", "multilabel"),
        (*form, "input_shape"): ([2**62], [-1], [], [10**6] * 20, ["3"], 3, [[3]], [3.0], [True], [10**9]),
        (*form, "target_size"): (2**62, -1, 0, 1.5, "1", None, [], 10**9),
        (*form, "classes"): ([1], "ab", None, [], ["x"], ["a"] * 10**5, {"0": "a"}, [["a"]]),
        (*form, "dtype"): ("object", "S100", "float16", "evil", "O", "V8", "", None, "complex128", "M8[s]", "<f8,<f8"),
        (*form, "delimiter"): ("", "ab", "\n", "\0", '"', "\ud800", None, 5),
        (*form, "header"): ("yes", None, 2, []),
        (*form, "columns"): ([], None, {}, [{}], [{"name": "a"}], ["a"], [{"name": 1, "categories": None}]),
        (*form, "columns", 1, "categories"): ([], ["red"] * 4, [1, 2], "red", {"red": 0}, [["red"]]),
        (*form, "means"): ([], [1.0], "x", ["nan"] * 3, {}),
        (*form, "cells"): ({}, None, [], {"decimal": "", "thousands": "", "missing_values": []}),
        (*form, "cells", "decimal"): ("", "ab", "1", "-", "e", 1, None),
        (*form, "cells", "thousands"): ("ab", "1", ".", 1, None),
        (*form, "cells", "missing_values"): ("x", [1], None, {}),
        (*form, "input_scaling"): ({}, None, [], {"mean": [1], "std": [1]}, {"mean": "nan", "std": 0.0}, {"mean": 0.0}),
        (*form, "input_scaling", "std"): (0.0, -1.0, "nan", "inf", [1.0] * 10**5, "x", None),
        (*form, "target_scaling", "mean"): ("x", None, [], [1, 2, 3], 2**70),
        (*form, "targets"): ([], None, "y", [1], ["y"] * 100),
        (*form, "arrays"): (["../x"], "x", None, [1]),
        (*form, "width"): (2**40, -1, 0, "3", None, 1.5),
        (*form, "reach"): ([], [1], ["x", "y"], "x", ["nan", "nan"], [1, 0], {}),
        (*form,): ({}, [], None, "x", 1),
        ("forms", 0): ({}, [], None, "x"),
        ("forms",): ([], {}, None, "x", [None]),
        ("forms", 0, "wide"): (None, "x", 1, []),
        ("forms", 0, "facts"): ({}, [], None, "x"),
        ("seeds",): ({}, [], None, {"0": 99}, {"0": -1}, {"x": 0}, {"0": "0"}, {"0": True}, {"1": 0}, {"-1": 0}),
    }
    for place, contents in changed.items():
        for content in contents:
            raw = json.dumps(content)
            yield on_run(f"{raw[:40]} at {place} of preparation.json", sealed.in_preparation(place, raw), *predicting)
    for key in ("task", "input_shape", "target_size", "classes", "input_scaling", "target_scaling", "columns", "means"):
        yield on_run(f"no {key} in preparation.json", sealed.without_preparation((*form, key)), *predicting)
    for key in ("cells", "delimiter", "header", "arrays", "targets", "width", "dtype", "reach", "format"):
        yield on_run(f"no {key} in preparation.json", sealed.without_preparation((*form, key)), *predicting)
    for place in (("seeds",), ("forms",), ("forms", 0, "form"), ("forms", 0, "wide"), ("forms", 0, "facts")):
        yield on_run(f"no {place} in preparation.json", sealed.without_preparation(place), *predicting)
    for key in ("std", "mean"):
        yield on_run(f"no {key}", sealed.without_preparation((*form, "input_scaling", key)), *predicting)
    for raw in ("", "null", "[]", '"x"', "1", "{}", "\ufeff{}", "{" * DEEP, '{"seeds": {"0": 0}, "forms": []}'):
        yield on_run(f"preparation.json is {raw[:20]!r}", sealed.in_preparation((), raw), *predicting)


def whole_lines() -> Iterator[Hostile]:
    """Yield lines of ledger and history that are odd as a whole."""
    start = '{"event": "started", "time": "2026-12-01T00:00:00+00:00"'
    lines = {
        "an event twice in a line": '{"event": "finished", "event": "started"}',
        "an unknown event": '{"event": "evil", "time": "2026-12-01T00:00:00+00:00"}',
        "an unknown event called in an evil way": json.dumps({"event": EVIL, "time": "2026-12-01T00:00:00+00:00"}),
        "a second start": start + "}",
        "a diagnosis in an evil way": json.dumps(
            {"event": "diagnosed", "time": "2026-12-01T00:00:00+00:00", "seed": 0, "epoch": 1, "step": 1}
            | {"diagnosis": EVIL, "cure": [EVIL, "epochs=1; touch mark", "$(touch mark)"]}
        ),
        "a resume at 2^63": start.replace("started", "resumed") + ', "step": 9223372036854775808, "changes": {}}',
        "changes of another kind": start.replace("started", "resumed") + ', "step": 1, "changes": {"epochs": 5}}',
        "changes from nowhere": start.replace("started", "resumed")
        + ', "step": 2, "changes": {"a.b.c": [1, 2], "__class__": [1, 2], "epochs": [2, 1000000000000]}}',
        "changes to another loss": start.replace("started", "resumed")
        + ', "step": 2, "changes": {"loss.name": ["binary_cross_entropy", "os:system"]}}',
        "64 MiB": start + ', "a": "' + "x" * 2**26 + '"}',
        "UTF-16": "",
    }
    for what, text in lines.items():

        def write(run: Path, text: str = text) -> None:
            texts = [json.dumps(event) for event in sealed.events_of(run / "ledger.jsonl")]
            content = sealed.sealed([*texts, text] if text else texts)
            (run / "ledger.jsonl").write_bytes(content if text else content.decode().encode("utf-16"))

        yield on_run(
            f"{what} in a ledger", write, *LOOKING, ("resume", "evil", "--set", "epochs=3"), ("verify", "evil")
        )
    changed: dict[str, Callable[[bytes], bytes]] = {
        "a BOM": lambda content: b"\xef\xbb\xbf" + content,
        "UTF-16": lambda content: content.decode().encode("utf-16"),
        "CR as line end": lambda content: content.replace(b"\n", b"\r"),
        "NEL as line end": lambda content: content.replace(b"\n", b"\xc2\x85"),
        "NUL bytes between the lines": lambda content: content.replace(b"\n", b"\0\n"),
        "empty lines": lambda content: content.replace(b"\n", b"\n\n"),
        "spaces before the lines": lambda content: b" " + content.replace(b"\n", b"\n "),
        "a line of 64 MiB": lambda content: content + b'{"a": "' + b"x" * 2**26 + b'"}\n',
        "a million empty objects": lambda content: content + b"{}\n" * 10**6,
        "its rows 10,000 times": lambda content: content * 10_000,
        "overlong UTF-8": lambda content: content.replace(b'"epoch"', b'"\xc0\xaf"'),
        "a CESU surrogate": lambda content: content.replace(b'"epoch"', b'"\xed\xa0\x80"'),
        "a key twice": lambda content: content.replace(b'"epoch": 1,', b'"epoch": 1, "epoch": 5,'),
    }
    for what, change in changed.items():
        yield on_run(
            f"{what} in a history",
            lambda run, change=change: sealed.with_history(run, change((run / "history.jsonl").read_bytes())),  # type: ignore[misc]
            *LOOKING,
            ("plot", "evil"),
            ("resume", "evil", "--set", "epochs=3"),
        )


def run_configs() -> Iterator[Hostile]:
    """Yield changes of config.yaml, in order in the ledger."""
    huge = b"hidden:\n  - 1000000000\n  - 1000000000\n"
    changed: dict[str, Callable[[bytes], bytes]] = {
        "a BOM": lambda content: b"\xef\xbb\xbf" + content,
        "UTF-16": lambda content: content.decode().encode("utf-16"),
        "CR LF": lambda content: content.replace(b"\n", b"\r\n"),
        "a NUL": lambda content: content + b"\0",
        "a layer of 10^18 weights": lambda content: content.replace(b"hidden:\n  - 4\n", huge),
        "flow 10^5 deep": lambda content: content + b"x: " + b"[" * DEEP,
        "1 MB of comment": lambda content: content + b"# " + b"x" * 2**20,
        "a second document": lambda content: content + b"---\na: 1\n",
        "a directive": lambda content: b"%YAML 9.9\n---\n" + content,
        "another dataset": lambda content: content.replace(b"path: table.csv", b"path: /dev/zero"),
        "a file of the system": lambda content: content.replace(b"path: table.csv", b"path: /etc/passwd"),
        "code of the standard library": lambda content: content.replace(b"name: adam", b"name: os:system"),
        "10^18 epochs": lambda content: content.replace(b"epochs: 2", b"epochs: 1000000000000000000"),
        "a million seeds": lambda content: content.replace(b"seeds:\n- 0", b"seeds:\n" + b"- 1\n" * 10**6 + b"- 0"),
        "an evil name": lambda content: content.replace(b"name: evil", b"name: " + json.dumps(EVIL).encode()),
    }
    for what, change in changed.items():
        yield on_run(f"{what} in config.yaml", sealed.with_config(change), *LOOKING, *COMPUTING[:2], COMPUTING[3])
    for place, raw in (
        ((0, "config", "epochs"), str(10**18)),
        ((0, "config", "model", "hidden"), "[1000000000, 1000000000]"),
        ((0, "config", "batch_size"), str(2**63)),
        ((0, "config", "seeds"), str(list(range(10**5)))),
        ((0, "config", "dataset", "path"), json.dumps("../../../../etc/passwd")),
        ((0, "config", "tags"), json.dumps([EVIL] * 100)),
        ((0, "config", "checkpoint", "every"), json.dumps("1 eon")),
    ):
        yield on_run(f"{raw[:20]} at {place} of the ledger", sealed.in_ledger(place, raw), *READING, *COMPUTING)


def sweeps() -> Iterator[Hostile]:
    commands: tuple[Command, ...] = (
        ("ls",),
        ("ls", "swept"),
        ("show", "swept"),
        ("compare", "swept"),
        ("resume", "swept"),
    )
    for place, contents in {
        ("phase",): ("evil", "", 0, None, EVIL),
        ("pair",): ({EVIL: EVIL}, [], "x", None, {}),
        ("changes",): ({EVIL: EVIL}, {"epochs": 10**18}, [], None, {"__class__": 1}, {"a" * 1000: 1}),
        ("config", "seeds"): ([2**63], [-1], ["0"], list(range(10**5)), [], None),
        ("config", "model", "hidden"): ([10**9, 10**9], [-1], "x"),
        ("config", "loss", "name"): ("os:system", EVIL),
        ("stack",): (EVIL, 5, [], "evil"),
    }.items():
        for content in contents:
            raw = json.dumps(content)
            yield on_sweep(f"{raw[:30]} at {place} of a plan", sealed.in_plan(0, place, raw), *commands)
    whole: dict[str, Callable[[bytes], bytes]] = {
        "a cell 100,000 times": lambda content: content.splitlines(keepends=True)[0] * 100_000,
        "a cell twice": lambda content: content.splitlines(keepends=True)[0] + content,
        "no cell": lambda _: b"",
        "a line of 64 MiB": lambda content: content + b'{"directory": "' + b"x" * 2**26 + b'"}\n',
        "UTF-16": lambda content: content.decode().encode("utf-16"),
        "a BOM": lambda content: b"\xef\xbb\xbf" + content,
        "lists": lambda _: b"[]\n[]\n",
        "deep lists": lambda content: content + b"[" * DEEP + b"]" * DEEP + b"\n",
    }
    for what, change in whole.items():
        yield on_sweep(
            f"{what} in a plan",
            lambda sweep, change=change: sealed.with_plan(sweep, change((sweep / "plan.jsonl").read_bytes())),  # type: ignore[misc]
            *commands,
        )
    for what, text in {
        "deep flow": b"sweep: " + b"[" * DEEP,
        "UTF-16": "sweep: {}\n".encode("utf-16"),
        "64 MiB": b"# " + b"x" * 2**26,
        "a tag": b"sweep: !!python/object/apply:os.mkdir [canary]\n",
        "a list": b"- 1\n",
        "nothing": b"",
    }.items():

        def write(sweep: Path, text: bytes = text) -> None:
            (sweep / "sweep.yaml").write_bytes(text)
            sealed.with_facts(sweep, {"config_digest": sealed.of_bytes(text)})

        yield on_sweep(f"{what} as sweep.yaml", write, *commands)

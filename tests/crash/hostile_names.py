"""Hostile names of files and folders, links in the place of folders, and text on the command line."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.crash import sealed
from tests.crash.hostile_cases import COMPUTING, EVIL, READING, Command, Hostile, in_place_of, on_run, on_sweep

# As names of files: without a slash or NUL, and no longer than 255 bytes.
NAMES: dict[str, str] = {
    "an escape sequence": "a\x1b[31mb",
    "a line break": "a\nb",
    "a carriage return": "good\rb",
    "an override of the direction": "a\u202eb",
    "an isolate of the direction": "a\u2066b",
    "a C1 control": "a\x9b31mb",
    "a line separator": "a\u2028b",
    "a lone surrogate": "a\udc80b",
    "a zero-width space": "a\u200bb",
    "200 letters": "x" * 200,
    "markup": "<img src=x onerror=alert(1)>[bold]",
    "an option": "--help",
    "a blank": " ",
    "three dots": "...",
    "a variable": "$HOME;touch mark",
    "a percent sign": "%s%n{0}",
    "a tilde": "~root",
    "a quote": "a'b\"c",
    "a star": "*",
}


def cases() -> Iterator[Hostile]:
    yield from named_files()
    yield from links()
    yield from words()
    yield from notes()


def named_files() -> Iterator[Hostile]:
    """Yield files and folders with odd names."""
    for what, name in NAMES.items():

        def copied(folder: Path, name: str = name) -> None:
            content = (folder / "config.yaml").read_text().replace("table.csv", "x.csv")
            (folder / f"{name}.yaml").write_text(content)
            (folder / f"{name}.csv").write_bytes((folder / "table.csv").read_bytes())
            (folder / f"{name}.npz").write_bytes(b"not a zip")
            (folder / f"{name}.py").write_text("x = 1\n")

        path = json.dumps(f"{name}.csv")
        yield Hostile(
            f"files called {what}",
            copied,
            (
                ("train", f"./{name}.yaml"),
                ("check", f"./{name}.yaml"),
                ("train", "config.yaml", "--name", "fresh", "--set", f"dataset.path={path}"),
                ("predict", "evil", "--input", f"./{name}.csv"),
                ("predict", "evil", "--input", f"./{name}.npz"),
                ("predict", "evil", "--input", "new.csv", "-o", f"./{name}-out.csv"),
                ("export", "evil", "-o", f"./{name}-exported"),
                ("compare", "evil", "good", "--html", f"./{name}.html"),
                ("plot", "evil", "-o", f"./{name}.svg"),
                ("script", "config.yaml", "--as", "pytorch", "-o", f"./{name}.txt"),
                ("new", "-o", f"./{name}-new.yaml"),
                ("train", "config.yaml", "--name", "fresh", "--set", f"loss={name}:x"),
                ("ls", "--runs-dir", f"./{name}"),
                ("train", "config.yaml", "--name", "fresh", "--runs-dir", f"./{name}-runs"),
            ),
        )

        def renamed(folder: Path, name: str = name) -> None:
            run = sealed.run_called(folder, "evil")
            run.rename(run.with_name(f"20261201-000000-{name}"))

        yield Hostile(
            f"a run called {what}",
            renamed,
            (
                ("ls",),
                ("ls", "--format", "csv"),
                ("ls", "--format", "json"),
                ("show", "20261201-000000"),
                ("compare", "good", "20261201-000000"),
                ("compare", "good", "20261201-000000", "--html", "page.html"),
                ("compare", "good", "20261201-000000", "--format", "latex"),
                ("compare", "good", "20261201-000000", "--format", "csv"),
                ("plot", "20261201-000000"),
                ("resume", "20261201-000000", "--set", "epochs=3"),
                ("evaluate", "20261201-000000"),
                ("verify", "20261201-000000"),
                ("rm", "20261201-000000", "--yes"),
                ("gc", "--yes"),
            ),
        )

        def stray(folder: Path, name: str = name) -> None:
            run = sealed.run_called(folder, "evil")
            for place in ("checkpoints", "source", "."):
                (run / place).mkdir(exist_ok=True)
                (run / place / f"{name}.py").write_text("x = 1\n")
                (run / place / f"step-{name}.safetensors").write_bytes(b"x")
                (run / place / f"best-{name}.safetensors").write_bytes(b"x")

        yield Hostile(f"stray files called {what} in a run", stray, (*COMPUTING, ("show", "evil"), ("gc", "--yes")))


def links() -> Iterator[Hostile]:
    """Yield links that lead out of the runs: nothing behind them may be changed or removed."""

    def keep(folder: Path) -> Path:
        kept = folder / "kept"
        kept.mkdir()
        (kept / "file").write_text("ours\n")
        return kept

    def linked(place: str) -> Callable[[Path], None]:
        def write(folder: Path) -> None:
            run = sealed.run_called(folder, "evil")
            path = run if place == "." else run / place
            path.rename(keep(folder) / "moved") if path.exists() else (keep(folder) / "moved").mkdir()
            path.symlink_to(folder / "kept" / "moved")

        return write

    cleaning: tuple[Command, ...] = (
        ("gc", "--yes"),
        ("gc", "--keep-best", "--yes"),
        ("rm", "evil", "--yes"),
        ("ls",),
        ("show", "evil"),
        ("resume", "evil", "--set", "epochs=3"),
    )
    for place in (".", "checkpoints", "source"):
        yield Hostile(f"a link in the place of {place} of a run", linked(place), cleaning)

    def cell_linked(folder: Path) -> None:
        sweep = sealed.run_called(folder, "swept")
        cell = min(path for path in sweep.iterdir() if path.is_dir() and path.name != "stacks")
        cell.rename(keep(folder) / "moved")
        cell.symlink_to(folder / "kept" / "moved")

    def stacks_linked(folder: Path) -> None:
        sweep = sealed.run_called(folder, "swept")
        kept = keep(folder)
        (kept / "step-00000001-0123456789abcdef.safetensors").write_bytes(b"ours")
        (sweep / "stacks").symlink_to(kept)

    def runs_linked(folder: Path) -> None:
        (folder / "runs").rename(folder / "elsewhere")
        (folder / "runs").symlink_to(folder / "elsewhere")

    def run_nearby(folder: Path) -> None:
        kept = keep(folder)
        (folder / "runs" / "20261201-000000-nearby").symlink_to(kept)

    def circle(folder: Path) -> None:
        run = sealed.run_called(folder, "evil")
        (run / "circle").symlink_to(run)
        (run / "checkpoints" / "circle").symlink_to(folder / "runs")

    def hard(folder: Path) -> None:
        run = sealed.run_called(folder, "evil")
        kept = keep(folder)
        for path in list(run.rglob("*")):
            if path.is_file():
                os.link(path, kept / f"{path.parent.name}-{path.name}")

    def temporary(folder: Path) -> None:
        kept = keep(folder)
        run = sealed.run_called(folder, "evil")
        for place in (run, run / "checkpoints", folder / "runs"):
            (place / ".tmp-evil").symlink_to(kept / "file")
            (place / ".file.tmp").symlink_to(kept / "file")

    of_sweep: tuple[Command, ...] = (("rm", "swept", "--yes"), ("gc", "--yes"), ("resume", "swept"), ("ls", "swept"))
    yield Hostile("a link in the place of a cell", cell_linked, of_sweep)
    yield Hostile("a link in the place of stacks", stacks_linked, of_sweep)
    yield Hostile("runs is a link", runs_linked, (*cleaning, *of_sweep))
    yield Hostile("a run that is a link to another folder", run_nearby, (*cleaning, ("rm", "nearby", "--yes")))
    yield Hostile("links in a circle", circle, cleaning)
    yield Hostile("hard links to all files of a run", hard, (*cleaning, ("verify", "evil")))
    yield Hostile("links called like temporary files", temporary, cleaning)


def words() -> Iterator[Hostile]:
    """Yield text on the command line that is printed, or becomes part of a table, a page or a report."""
    texts = (
        EVIL,
        "=cmd|' /C calc'!A0",
        "@SUM(1)",
        "+1+cmd|'x'!A",
        "-2+3",
        "\t=1",
        "a\udc80b",
        "",
        " ",
        "a=b",
        "x" * 5000,
    )
    for text in texts:
        for more in ((), ("--format", "csv"), ("--format", "latex"), ("--format", "md"), ("--format", "json")):
            yield Hostile(
                f"the label {text[:20]!r}",
                lambda _: None,
                (("compare", "evil", "good", "--label", f"A={text}", *more),),
            )
        yield Hostile(
            f"the word {text[:20]!r}",
            lambda _: None,
            (
                ("compare", "evil", "good", "--label", f"A={text}", "--html", "page.html"),
                ("plot", "evil", "--label", f"A={text}", "-o", "plot.svg"),
                ("plot", "evil", "--label", f"A={text}"),
                ("ls", "--tag", text),
                ("ls", "--where", f"loss={text}"),
                ("ls", "--sort", text),
                ("show", text),
                ("explain", text),
                ("list", text),
                ("check", "config.yaml", "--set", text),
                ("check", "config.yaml", "--set", f"name={text}"),
                ("check", "config.yaml", "--set", f"{text}=1"),
                ("train", "config.yaml", "--name", "fresh", "--tag", text),
                ("compare", "evil", "good", "--metric", text),
                ("compare", "evil", "good", "--target", f"{text}=1"),
                ("sweep", "config.yaml", "--over", f"{text}=1,2"),
                ("gc", "--older-than", text),
                ("fetch", text),
                ("new", text),
                ("export", "evil", "-o", "exported", "--checkpoint", text),
                ("predict", "evil", "--input", "new.csv", "--seed", text),
                (text,),
            ),
        )

    tagged = json.dumps([EVIL, "=1+1"])
    for command in READING:
        yield on_run("evil tags and name", _renamed_and_tagged(tagged), command)


def _renamed_and_tagged(tags: str) -> Callable[[Path], None]:
    def write(run: Path) -> None:
        import yaml

        config = yaml.safe_load((run / "config.yaml").read_bytes())
        config["tags"], config["name"] = json.loads(tags), EVIL
        content = json.dumps(config).encode()
        (run / "config.yaml").write_bytes(content)
        sealed.in_ledger((0, "config"), json.dumps(config))(run)
        sealed.with_facts(run, {"config_digest": sealed.of_bytes(content)})

    return write


def notes() -> Iterator[Hostile]:
    """Yield notes of a writer. They only say who writes, and nobody knows who wrote them."""
    facts: dict[str, object] = {
        "a pid of 2^63": {"pid": 2**63, "host": os.uname().nodename, "started": "x"},
        "a pid of -1": {"pid": -1, "host": os.uname().nodename, "started": "x"},
        "a pid of 0": {"pid": 0, "host": os.uname().nodename, "started": "x"},
        "a pid of text": {"pid": "1", "host": os.uname().nodename, "started": "x"},
        "a pid of true": {"pid": True, "host": os.uname().nodename, "started": "x"},
        "an evil host": {"pid": 1, "host": EVIL, "started": EVIL, "heartbeat": EVIL},
        "a heartbeat of the year 10^9": {"pid": 1, "host": "x", "started": 1e300, "heartbeat": 1e300},
        "a list": [],
        "a host that is a list": {"pid": 1, "host": [], "started": []},
    }
    commands: tuple[Command, ...] = (
        ("ls",),
        ("show", "evil"),
        ("resume", "evil", "--set", "epochs=3"),
        ("rm", "evil", "--yes"),
        ("gc", "--yes"),
    )
    for what, note in facts.items():
        for name in ("owner.json", "lock"):
            content = json.dumps(note).encode()
            yield on_run(f"{what} in {name}", in_place_of(name, content), *commands)
            yield on_sweep(
                f"{what} in {name} of a sweep",
                in_place_of(name, content),
                ("ls",),
                ("resume", "swept"),
                ("rm", "swept", "--yes"),
            )
    for what, content in {"64 MiB": b"{" + b" " * 2**26, "UTF-16": "{}".encode("utf-16"), "deep": b"[" * 10**5}.items():
        for name in ("owner.json", "lock"):
            yield on_run(f"{what} in {name}", in_place_of(name, content), *commands)

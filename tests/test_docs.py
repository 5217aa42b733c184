"""The documents cannot drift: what they name is there, and what they show runs."""

import ast
import re
import shlex
import shutil
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cache
from operator import attrgetter
from pathlib import Path

import numpy as np
import pytest
import typer
from safetensors.numpy import load_file

from lossrun.cli import app
from lossrun.config import read
from lossrun.report.reference.listing import plural
from lossrun.report.reference.topics import KINDS
from tests.crash.forks import Done, forks

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "lossrun"
TEXTS = {
    name: (ROOT / name).read_text(encoding="utf-8")
    for name in (
        "README.md",
        "ARCHITECTURE.md",
        "CLUSTERS.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "tests/bench/README.md",
    )
}
README, ARCHITECTURE, CONTRIBUTING = (TEXTS[name] for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"))
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
COMMANDS = typer.main.get_group(app).commands  # type: ignore[attr-defined]  # typer's own command, by name
FENCE = re.compile(r"^```(\w*)(?: (?:file|in|import|before)=(\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SHORTENED = "..."


@dataclass(frozen=True)
class Block:
    """`language`: empty for what a command printed."""

    language: str
    file: str
    text: str


BLOCKS = [Block(*found) for found in FENCE.findall(README)]


def code_words(text: str) -> Iterator[str]:
    """What a document says in backticks, outside of its blocks."""
    yield from (" ".join(word.split()) for word in re.findall(r"`([^`]+)`", FENCE.sub("", text)))


def tables(text: str) -> Iterator[list[list[str]]]:
    """The rows of each table, without its header."""
    for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        yield [[cell.strip() for cell in line.strip("|\n").split("|")] for line in block.splitlines()[2:]]


def table(text: str, heading: str) -> list[list[str]]:
    """The first table below a heading."""
    return next(tables(text[re.search(rf"^#+ {re.escape(heading)}$", text, re.MULTILINE).end() :]))  # type: ignore[union-attr]


# What is named.


@cache
def names_in(path: Path) -> frozenset[str]:
    """Functions, classes, their methods, and assigned names of a module; nothing is imported."""
    found: set[str] = set()

    def visit(body: list[ast.stmt], prefix: str) -> None:
        for node in body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                found.add(prefix + node.name)
            if isinstance(node, ast.ClassDef):
                visit(node.body, f"{prefix}{node.name}.")
            if isinstance(node, ast.Assign | ast.AnnAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                found.update(prefix + target.id for target in targets if isinstance(target, ast.Name))

    visit(ast.parse(path.read_text(encoding="utf-8")).body, "")
    return frozenset(found)


def test_every_path_and_name_in_the_documents_is_there() -> None:
    in_runs = {word for row in table(ARCHITECTURE, "The run directory") for word in code_words(row[0])}
    checked, absent = 0, []
    # Files that a reader is told to write.
    written = {name for text in TEXTS.values() for name in re.findall(r"^```\w+ file=(\S+)$", text, re.MULTILINE)}
    for document, text in TEXTS.items():
        for word in code_words(text):
            match = re.fullmatch(r"((?:[\w.-]+/)*(?:[\w.-]+\.(?:py|md|toml)|(?<=/)))(?::([\w.]+))?", word)
            if match is None or not match[1] or word in in_runs | written:
                continue
            path, name = match.groups()
            found = [folder / path for folder in (ROOT, PACKAGE) if (folder / path).exists()]
            if not found or (name and name not in names_in(found[0])):
                absent.append(f"{document}: {word}")
            checked += 1
    assert absent == []
    assert checked > 60


def test_the_place_of_each_block_is_told_above_it() -> None:
    """A reader does not see what a fence says after its language."""
    blocks = 0
    for document, text in TEXTS.items():
        for fence in re.finditer(r"^```\w+ (?:file|in|import|before)=([^\s:]+)(?::(\w+))?$", text, re.MULTILINE):
            above = set(code_words(text[text.rindex("\n#", 0, fence.start()) : fence.start()]))
            assert {part for part in fence.groups() if part} <= above, (document, fence[0])
            blocks += 1
    assert blocks > 10


def test_links_lead_somewhere() -> None:
    links = [link for text in TEXTS.values() for link in re.findall(r"\]\((?!http)([^)#]+)", text)]
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_rooms_are_those_of_the_import_contract_in_its_order() -> None:
    contract = next(one for one in PYPROJECT["tool"]["importlinter"]["contracts"] if "containers" not in one)
    layers = [layer.replace("lossrun.", "").split(" | ") for layer in contract["layers"]]
    told = [list(code_words(row[0])) for row in table(ARCHITECTURE, "The rooms")]
    assert [sorted(row) for row in told] == [sorted(layer) for layer in reversed(layers)]


def test_every_room_is_told_of() -> None:
    rooms = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    told = {word for row in table(ARCHITECTURE, "The rooms") for word in code_words(row[0])}
    assert told == rooms - {"__init__", "__main__"}
    inside = {f"{path.parent.relative_to(PACKAGE)}/" for path in PACKAGE.glob("*/*/__init__.py")}
    assert inside - set(code_words(ARCHITECTURE)) == set()


def test_every_command_named_is_one_and_takes_the_options_named_with_it() -> None:
    for document, text in TEXTS.items():
        # The commands of worked examples are run by `tests/test_contributing.py`; one of them is new there.
        text = re.sub(r"^## Add something$.*?(?=^## )", "", text, flags=re.MULTILINE | re.DOTALL)
        blocks = [line for block in FENCE.findall(text) if block[0] == "sh" for line in block[2].splitlines()]
        for line in (*code_words(text), *blocks):
            words = line.split()
            if words[:1] != ["lossrun"] or not re.fullmatch("[a-z]+", words[1] if len(words) > 1 else ""):
                continue
            assert words[1] in COMMANDS, f"{document}: {line}"
            known = {option for parameter in COMMANDS[words[1]].params for option in parameter.opts} | {"--help"}
            assert {word for word in words[2:] if word.startswith("-")} <= known, f"{document}: {line}"


def test_every_option_named_alone_is_one() -> None:
    known = {option for command in COMMANDS.values() for parameter in command.params for option in parameter.opts}
    for document, text in TEXTS.items():
        for word in code_words(text):
            if word.startswith("--"):
                assert word.split()[0] in known | {"--help"}, f"{document}: {word}"


def test_the_markers_told_of_are_those_that_tests_may_bear() -> None:
    told = [word for row in table(CONTRIBUTING, "Tests") for word in code_words(row[0])]
    assert told == [marker.partition(":")[0] for marker in PYPROJECT["tool"]["pytest"]["ini_options"]["markers"]]


def test_the_jobs_told_of_are_those_of_ci() -> None:
    jobs = re.findall(r'^ *job "([\w -]+)', (ROOT / ".ci/run").read_text(encoding="utf-8"), re.MULTILINE)
    told = [row[0] for row in table(CONTRIBUTING, "Releases and bounds")]
    assert len(told) == len(jobs)
    assert all(job.startswith(name) for name, job in zip(told, jobs, strict=True))


def test_the_checks_told_of_are_those_of_ci() -> None:
    ci = (ROOT / ".ci/run").read_text(encoding="utf-8").splitlines()
    (checks,) = (block[2].splitlines() for block in FENCE.findall(CONTRIBUTING) if block[2].startswith("ruff"))
    assert [line for line in checks if line not in ci] == []


def test_no_document_counts_components() -> None:
    """The number would change with every new component; `lossrun list` names them all."""
    kinds = "|".join(map(plural, KINDS))
    counted = re.compile(rf"\b\d+ (?:lint )?(?:{kinds})\b")
    assert counted.search("25 losses")
    assert [found for text in TEXTS.values() for found in counted.findall(" ".join(text.split()))] == []


def test_the_readme_is_a_way_in_and_no_reference() -> None:
    assert len(README.splitlines()) <= 250


def test_the_test_command_is_the_one_that_ci_runs() -> None:
    assert 'pip install -e ".[test]" && pytest\n' in README
    assert r"""grep -m1 -x 'pip install -e "\.\[test\]" && pytest' README.md""" in (ROOT / ".ci/run").read_text()


# What is shown.


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone, as far as the blocks need one, with the files that the README shows."""
    path = tmp_path_factory.mktemp("clone")
    shutil.copytree(ROOT / "configs", path / "configs")
    for block in BLOCKS:
        if block.file:
            (path / block.file).write_text(block.text, encoding="utf-8")
    return path


def run(commands: Sequence[str], folder: Path) -> list[Done]:
    """The commands in order, at 80 columns. A comment behind one may say that it fails: `# exit code 2`."""
    found = []
    with forks() as server:
        for command in commands:
            words = shlex.split(command, comments=True)[1:]
            done = server.run(words, folder, environment={"COLUMNS": "80"}, limit=600)
            expected = re.search(r"# exit code (\d+)", command)
            assert done.code == (int(expected[1]) if expected else 0), (command, done.err)
            found.append(done)
    return found


def shape(text: str) -> str:
    """Words and signs without the numbers, which may be others on another machine, and the room that they take."""
    times = re.sub(r"\d[\d.]*\s?(ms|s|min)\b", "0s", text)
    numbers = re.sub(r"[-+]?\d[\d.,]*(e[-+]?\d+)?", "0", times)
    return " ".join(re.sub(r"[─\s]+", " ", numbers).split())


def test_what_the_readme_shows_runs_in_order_and_prints_what_it_says(folder: Path) -> None:
    blocks: list[list[str]] = []
    for block in BLOCKS:
        lines = [line for line in block.text.splitlines() if line.startswith("lossrun ") and block.language == "sh"]
        # The packaged sweep is trained, for its table; the others are planned only.
        long = [line.startswith("lossrun sweep ") and "sweep-quick" not in line for line in lines]
        blocks.append([f"{line} --dry-run" if planned else line for line, planned in zip(lines, long, strict=True)])
    commands = [line for lines in blocks for line in lines]
    done = iter(run(commands, folder))
    printed: list[str] = []
    shown = 0
    for block, lines in zip(BLOCKS, blocks, strict=True):
        if block.language == "sh":
            printed = [shape(text) for _ in lines for text in attrgetter("out", "err")(next(done))] or printed
        elif not block.language:
            for piece in re.split(rf"^(?:{re.escape(SHORTENED)})?$\n", block.text, flags=re.MULTILINE):
                assert any(shape(piece) in stream for stream in printed), (piece, printed)
                shown += 1
    assert len(commands) >= 10
    assert shown >= 6


def test_the_configs_that_were_measured_are_those_that_come_with_lossrun() -> None:
    named = [word for row in table(README, "Measured") for word in code_words(row[2]) if "configs/" in word]
    assert len(named) >= 4
    for command in named:
        assert (ROOT / command.split()[-1]).is_file(), command


def test_the_python_block_runs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = [block.text for block in BLOCKS if block.language == "python" and not block.file]
    assert blocks
    monkeypatch.chdir(folder)
    for text in blocks:
        exec(text, {"__name__": "__main__"})


def test_the_configs_shown_are_configs(folder: Path) -> None:
    named = [block.file for block in BLOCKS if block.language == "yaml"]
    assert len(named) >= 3
    for name in named:
        read(folder / name)


def test_a_run_directory_holds_the_files_described(folder: Path) -> None:
    """And no others. The run has all that leaves a file or a part of the state: own code, a plateau, patience."""
    more = (
        "early_stopping={metric: val_loss, patience: 5}",
        "schedule=reduce_on_plateau",
        "best={metric: val_loss, mode: max}",  # the first epoch's, which later states keep besides their own
        "lint=warn",
    )
    options = " ".join(f'--set "{one}"' for one in more)
    (done,) = run([f"lossrun train mine.yaml --quiet --name described {options}"], folder)
    path = folder / done.out.strip()
    files = {str(file.relative_to(path)) for file in path.rglob("*") if file.is_file()}
    described = [word for row in table(ARCHITECTURE, "The run directory") for word in code_words(row[0])]
    patterns = [re.sub(r"<\w+>", "*", word) + ("*" if word.endswith("/") else "") for word in described]
    assert sorted(file for file in files if not any(fnmatch(file, pattern) for pattern in patterns)) == []
    gone = [pattern for pattern in patterns if not any(fnmatch(file, pattern) for file in files)]
    assert gone == ["owner.json"]  # only while a process writes

    states = [load_file(file) for file in path.glob("checkpoints/step-*.safetensors")]
    prefixes = {f"{name.partition('.')[0]}." for state in states for name in state}
    listed = re.search(r"have these prefixes: ([^;]+);", ARCHITECTURE)
    assert listed is not None
    told = {word for word in code_words(listed[1]) if word.endswith(".")}
    assert prefixes <= told
    assert told - prefixes <= {"loss."}  # of a loss that learns
    assert all(isinstance(array, np.ndarray) for state in states for array in state.values())

"""What holds for every room and module: sizes, names, docstrings, imports, and which errors are caught."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import lossrun

PACKAGE = Path(lossrun.__file__).parent
ROOT = Path(__file__).parent.parent
MODULES = sorted(PACKAGE.rglob("*.py"))
# Without the code of its user that a run has kept.
TESTS = sorted(path for path in ROOT.glob("tests/**/*.py") if path.parent.name != "source")
# What the tests below look at; a million expressions are left out.
LOOKED_AT = (ast.FunctionDef, ast.ClassDef, ast.Module, ast.ExceptHandler, ast.Import, ast.ImportFrom, ast.With)
ROOMS = sorted({path.parent for path in MODULES})
LONGEST = 310  # lines: a module that is longer holds two ideas
MOST_MODULES = 18  # of a room: what one person can hold in mind
DEEPEST = 5  # blocks inside each other

# Where any error is caught, because what is called may raise anything, and why that is so.
USERS_CODE = "code of the user is called"
TYPER = "typer does not export the class of its error, and it is raised again"
CATCHES_ANYTHING = {
    "cli.py": "a library may turn a stop into an error of its own",
    "commands/answers.py": TYPER,
    "commands/with_config.py": TYPER,
    "data/sources/download.py": "another thread hands its error over",
    "inference/program.py": USERS_CODE,
    "plugins/calling.py": USERS_CODE,
    "sweeping/cluster/tasks.py": "Ray refuses to cancel a task that has ended meanwhile",
    "sweeping/worker.py": "one bad cell must not end the others; its traceback is told",
    "training/observing.py": USERS_CODE,
    "training/preflight/attributes.py": USERS_CODE,
    "training/preflight/first_batch.py": USERS_CODE,
    "training/preflight/hidden_state.py": USERS_CODE,
    "training/preflight/layers.py": USERS_CODE,
    "training/state.py": USERS_CODE,
}

# Statements at the top of a module that do more than define names.
AT_IMPORT = {"cli.py": ast.For, "records/files/config_file.py": ast.Expr}  # list commands, teach PyYAML a type
# Distributions whose modules have another name, and modules that come with a distribution.
MODULES_OF = {"pyyaml": "yaml", "scikit-learn": "sklearn"}
WITH_OTHERS = {"pydantic_core"}
ONLY_FOR_TYPES = {"pandas"}  # `RunHistory.to_pandas` says what it needs


@cache
def trees() -> dict[Path, ast.Module]:
    return {path: ast.parse(path.read_text(encoding="utf-8")) for path in MODULES}


@cache
def nodes() -> dict[Path, list[ast.AST]]:
    return {path: [node for node in ast.walk(tree) if isinstance(node, LOOKED_AT)] for path, tree in trees().items()}


def place(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def test_no_module_holds_two_ideas() -> None:
    lengths = {place(path): len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}
    assert {path: length for path, length in lengths.items() if length > LONGEST} == {}


def test_no_room_is_more_than_one_person_can_hold_in_mind() -> None:
    sizes = {place(room): len([path for path in room.glob("*.py") if path.name != "__init__.py"]) for room in ROOMS}
    assert {room: size for room, size in sizes.items() if size > MOST_MODULES} == {}


def test_no_module_is_named_after_what_has_no_idea() -> None:
    vague = {"utils", "util", "common", "helpers", "helper", "base", "core", "misc"}
    assert [place(path) for path in MODULES if vague & {path.stem, path.parent.name}] == []


def test_tests_mirror_the_rooms() -> None:
    """A folder of tests is called like a room, or tests what goes through several."""
    several = {"bench", "browser", "cli", "crash", "faults"}
    folders = {path.parent.relative_to(ROOT / "tests") for path in TESTS}
    wanted = [folder for folder in folders if folder.parts and folder.parts[0] not in several]
    assert [str(folder) for folder in wanted if not (PACKAGE / folder).is_dir()] == []


def public_functions(tree: ast.Module) -> Iterator[ast.FunctionDef]:
    """Functions of a module, and methods of its public classes; a property is named after what it is."""
    for node in tree.body:
        inside = node.body if isinstance(node, ast.ClassDef) and not node.name.startswith("_") else [node]
        for one in inside:
            named = isinstance(one, ast.FunctionDef) and not one.name.startswith("_")
            if named and not any("property" in ast.unparse(decorator) for decorator in one.decorator_list):
                yield one


def first_sentence(node: ast.AST) -> str:
    docstring = ast.get_docstring(node) if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module) else None
    return " ".join((docstring or "").partition("\n\n")[0].split())


# What a component computes is a formula.
FORMULAS = tuple(f"components/{room}" for room in ("losses/", "schedules/", "models", "initializers"))
# "The rows of ..." says what something is, and no sentence begins so here.
A_NOUN = re.compile(r"(?:The|A|An|What|Whether|How|Where|Which|All|Each|Every|One|True|Any)\b|[a-z({\[]")


def test_every_docstring_of_a_function_begins_with_a_sentence() -> None:
    wrong = [
        f"{place(path)}: {node.name}: {sentence}"
        for path, tree in trees().items()
        for node in public_functions(tree)
        if (sentence := first_sentence(node)) and not place(path).startswith(FORMULAS)
        if A_NOUN.match(sentence) or not re.search(r"[.:][)`\"']?$", sentence)
    ]
    assert wrong == []


def test_every_module_says_what_it_is() -> None:
    assert [place(path) for path, tree in trees().items() if tree.body and not first_sentence(tree)] == []


def test_docstrings_end_their_first_sentence() -> None:
    wrong = [
        f"{place(path)}:{node.lineno if hasattr(node, 'lineno') else 1}"
        for path in MODULES
        for node in nodes()[path]
        if (sentence := first_sentence(node)) and not re.search(r"[.:?)\]`\"]$", sentence)
    ]
    assert wrong == []


def catches_anything(found: list[ast.AST]) -> bool:
    """Whether every error is caught by one of them."""
    for node in found:
        if isinstance(node, ast.ExceptHandler) and (node.type is None or ast.unparse(node.type) == "Exception"):
            return True
        items = node.items if isinstance(node, ast.With) else []
        if any(ast.unparse(item).startswith("suppress(Exception") for item in items):
            return True
    return False


def test_errors_of_our_own_are_caught_only_where_code_of_others_is_called() -> None:
    assert [place(path) for path in MODULES if catches_anything(nodes()[path])] == sorted(CATCHES_ANYTHING)


def test_what_is_private_stays_in_its_module() -> None:
    imported = re.compile(r"^ *from (?:lossrun|tests)[\w.]* import (?:\([^)]*|.*)\b_[a-z]\w*", re.MULTILINE)
    assert imported.search("from lossrun.steps.step import EagerStep, _rows")
    assert [path.name for path in (*MODULES, *TESTS) if imported.search(path.read_text(encoding="utf-8"))] == []


def test_importing_a_module_defines_names_and_does_no_more() -> None:
    defining = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef, ast.Assign, ast.AnnAssign, ast.If, ast.Try)
    wrong = [
        f"{place(path)}:{node.lineno}"
        for path, tree in trees().items()
        for node in tree.body
        if not isinstance(node, (*defining, AT_IMPORT.get(place(path), ast.Import)))
        and not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
    ]
    assert wrong == []


def depth(node: ast.AST, so_far: int = 0) -> int:
    """How many blocks are inside each other; an elif is next to its if, and expressions hold no blocks."""
    deepest = so_far
    for name in ("body", "orelse", "handlers", "finalbody", "cases"):
        children = getattr(node, name, [])
        for child in children if isinstance(children, list) else []:
            block = isinstance(child, ast.If | ast.For | ast.While | ast.With | ast.Try | ast.Match)
            is_elif = isinstance(node, ast.If) and name == "orelse" and len(children) == 1
            deepest = max(deepest, depth(child, so_far + (block and not (is_elif and isinstance(child, ast.If)))))
    return deepest


def test_blocks_are_not_deep_inside_each_other() -> None:
    depths = {
        f"{place(path)}: {node.name}": depth(node)
        for path in MODULES
        for node in nodes()[path]
        if isinstance(node, ast.FunctionDef)
    }
    assert {name: found for name, found in depths.items() if found > DEEPEST} == {}


def test_what_is_imported_is_declared() -> None:
    """As a dependency or in an extra; a package that another one brings along may be gone with its next version."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    declared = [*project["dependencies"], *(one for name in extras if name != "test" for one in extras[name])]
    names = {re.match(r"[\w-]+", one)[0].lower() for one in declared}  # type: ignore[index]
    known = (
        {MODULES_OF.get(name, name) for name in names}
        | WITH_OTHERS
        | ONLY_FOR_TYPES
        | {"lossrun"}
        | sys.stdlib_module_names
    )
    imported: set[str] = set()
    for found in nodes().values():
        for node in found:
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                imported.add(node.module.partition(".")[0])
    assert imported - known == set()

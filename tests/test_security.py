"""What SECURITY.md says of the source and of the dependencies."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import lossrun

PACKAGE = Path(lossrun.__file__).parent
ROOT = PACKAGE.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
SECURITY = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
# They build objects, or run code, from what a file says.
MODULES = {"pickle", "_pickle", "cPickle", "cloudpickle", "dill", "joblib", "jsonpickle", "marshal", "shelve"}
CALLS = {
    *("eval", "exec", "compile", "__import__", "os.system", "os.popen", "torch.load", "torch.jit.load"),
    "torch.export.load",
    *("torch.hub.load", "yaml.unsafe_load", "yaml.full_load", "yaml.load_all", "pandas.read_pickle", "runpy.run_path"),
}
SAFE_LOADERS = {"SafeLoader", "CSafeLoader"}


def dangers(tree: ast.AST) -> Iterator[str]:
    """Yield what a piece of source does that could run what is in a file."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            yield from (f"imports {name}" for name in names if name.partition(".")[0] in MODULES)
        elif isinstance(node, ast.Call):
            called, keywords = ast.unparse(node.func), {one.arg: ast.unparse(one.value) for one in node.keywords}
            if called in CALLS:
                yield f"calls {called}"
            if called in ("np.load", "numpy.load") and keywords.get("allow_pickle") != "False":
                yield f"calls {called} without allow_pickle=False"
            if called == "yaml.load":
                loaders = re.findall(r"\w*Loader\b", keywords.get("Loader", "Loader"))
                yield from (f"loads YAML by {loader}" for loader in loaders if loader not in SAFE_LOADERS)
            if keywords.get("shell", "False") != "False":
                yield f"calls {called} by a shell"
            if keywords.get("trust_remote_code", "False") != "False" or called.endswith(".extractall"):
                yield f"calls {called}"


def test_nothing_in_the_source_runs_what_a_file_says() -> None:
    found = {
        f"{path.relative_to(ROOT)} {danger}"
        for path in sorted(PACKAGE.rglob("*.py"))
        for danger in dangers(ast.parse(path.read_text(encoding="utf-8")))
    }
    assert found == set()


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from joblib import load",
        "eval(text)",
        "torch.load(path)",
        "torch.load(path, weights_only=True)",
        "torch.export.load(path)",
        "np.load(path)",
        "np.load(path, allow_pickle=True)",
        "yaml.load(text)",
        "yaml.load(text, Loader=yaml.FullLoader)",
        "yaml.unsafe_load(text)",
        "subprocess.run(words, shell=True)",
        "archive.extractall(folder)",
    ],
)
def test_the_check_can_fail(source: str) -> None:
    assert list(dangers(ast.parse(source)))


def test_every_dependency_has_a_floor_that_the_policy_names() -> None:
    extras = PROJECT["project"]["optional-dependencies"]
    needed = [*PROJECT["project"]["dependencies"], *(one for name in extras if name != "test" for one in extras[name])]
    floors = {found[1]: found[2] for line in needed if (found := re.match(r"([\w-]+)>=([\d.]+)", line))}
    assert len(floors) == len(needed), "a dependency without a floor"
    told = dict(re.findall(r"^\| `([\w-]+)` \| ([\d.]+) \|", SECURITY, re.MULTILINE))
    assert told == floors

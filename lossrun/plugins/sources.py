"""Which source a user's own component was run with: its module, and whatever that imports from the same folder."""

import ast
import hashlib
import site
import sys
import sysconfig
from collections.abc import Iterator
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import resolve_name
from pathlib import Path
from typing import Final

# Of the SHA-256 in hexadecimal: enough to tell sources apart, few enough to be shown.
DIGITS: Final = 16


def read_sources(module_name: str) -> dict[str, str | None]:
    """{module: beginning of the SHA-256 of its file} of an imported module, sorted by name; None where there is no file
    to read.

    With it come its packages and, through all imports written in the files, the modules that lie in the same folder. An
    installed module stands for itself alone: its neighbours change with its version. Modules that a file imports by a
    computed name are not seen.
    """
    return {name: _digest(path) for name, path in sorted(_files(module_name).items())}


def files_to_keep(module_name: str) -> dict[str, Path]:
    """{relative path: file} of an imported module and what it imports from the same folder: in a folder of their own
    they can be imported again. Empty for an installed one."""
    found = {name: path for name, path in _files(module_name).items() if path and not is_installed(path)}
    return {
        f"{name.replace('.', '/')}{'/__init__' if path.stem == '__init__' else ''}{path.suffix}": path
        for name, path in found.items()
    }


def texts_in(path: Path) -> list[str]:
    """Return the texts that are written in a source file: what it opens is among them, unless it is computed."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return []
    return [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]


def is_installed(path: Path) -> bool:
    """Whether a file belongs to Python itself or was put among the installed packages."""
    paths = sysconfig.get_paths()
    packages = [paths["purelib"], paths["platlib"], *site.getsitepackages(), site.getusersitepackages()]
    return any(path.is_relative_to(folder) for folder in packages) or (
        path.is_relative_to(paths["stdlib"]) and "site-packages" not in path.parts
    )


def _files(module_name: str) -> dict[str, Path | None]:
    """The file of each module, None where there is none."""
    path = _file_of(sys.modules[module_name].__spec__)
    if path is None or is_installed(path):
        return {module_name: path}
    root = path.parents[module_name.count(".") + (path.stem == "__init__")]
    found: dict[str, Path | None] = {}
    waiting = [module_name]
    while waiting:
        name = waiting.pop()
        if name in found or not (spec := _spec_in(root, name)):
            continue
        file = found[name] = _file_of(spec)
        package = name if spec.submodule_search_locations is not None else name.rpartition(".")[0]
        waiting += [name.rpartition(".")[0]] if "." in name else []
        waiting += _imports(file, package) if file else []
    # A package without __init__.py is a folder, not a file.
    return {name: file for name, file in found.items() if file} or {module_name: path}


def _spec_in(root: Path, name: str) -> ModuleSpec | None:
    """Where a dotted name leads from the folder `root`; None where nowhere, or where another module has that name."""
    if name.partition(".")[0] == "lossrun":
        return None
    locations: list[str] | None = [str(root)]
    spec = None
    parts = name.split(".")
    for depth in range(1, len(parts) + 1):
        if locations is None:
            return None
        spec = PathFinder.find_spec(".".join(parts[:depth]), locations)
        if spec is None:
            return None
        locations = spec.submodule_search_locations
    loaded = getattr(sys.modules.get(name), "__spec__", None)
    return None if loaded and spec and loaded.origin != spec.origin else spec


def _imports(path: Path, package: str) -> Iterator[str]:
    """The dotted names that a source file imports; what stands after `from x import` may be a module as well."""
    try:
        tree = ast.parse(path.read_bytes() if path.suffix == ".py" else b"")
    except (OSError, SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            try:
                base = resolve_name("." * node.level + (node.module or ""), package)
            except ImportError:
                continue
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _file_of(spec: ModuleSpec | None) -> Path | None:
    return Path(spec.origin) if spec and spec.has_location and spec.origin else None


def _digest(path: Path | None) -> str | None:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()[:DIGITS] if path else None
    except OSError:
        return None

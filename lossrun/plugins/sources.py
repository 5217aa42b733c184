"""Read the source of a user's own component: its module, and the modules that it imports from the same folder."""

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

# Hexadecimal digits of the SHA-256: enough to distinguish sources, and few enough to be shown.
DIGITS: Final = 16


def read_sources(module_name: str) -> dict[str, str | None]:
    """Return {module: beginning of the SHA-256 of its file}, sorted by name; None for a module without a readable file.

    Next to the module itself, these are its packages and all modules of the same folder that the files import, directly
    or not. For an installed module it is only the module, because the others change with its version. Modules that are
    imported by a computed name are not found.
    """
    return {name: _digest(path) for name, path in sorted(_files(module_name).items())}


def files_to_keep(module_name: str) -> dict[str, Path]:
    """Return {relative path: file} of a module and what it imports from its folder; {} for an installed module.

    Copied to another folder, they can be imported again.
    """
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
    """Return whether a file belongs to Python or to an installed package."""
    paths = sysconfig.get_paths()
    packages = [paths["purelib"], paths["platlib"], *site.getsitepackages(), site.getusersitepackages()]
    return any(path.is_relative_to(folder) for folder in packages) or (
        path.is_relative_to(paths["stdlib"]) and "site-packages" not in path.parts
    )


def _files(module_name: str) -> dict[str, Path | None]:
    """Return the file of each module; None for a module without one."""
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
    """Find a dotted name from the folder `root`; None if it is not there, or another module has that name."""
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
    """Yield the dotted names that a source file imports; a name after `from x import` may be a module too."""
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

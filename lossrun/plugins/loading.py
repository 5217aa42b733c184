"""Load a user's own components, which a config names as `package.module:attribute`."""

import importlib
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.machinery import ModuleSpec, PathFinder
from inspect import Parameter
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from lossrun.config.config import Choice, Config
from lossrun.errors import UsageError
from lossrun.files import is_file
from lossrun.nearby import nearby, nearest, nearest_first
from lossrun.plugins.calling import users_code
from lossrun.plugins.sources import files_to_keep, is_installed, read_sources, texts_in

_POSITIONAL: Final = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
_NAMED: Final = (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)
# Parameters that lossrun reads itself.
_OURS: Final = {"model": ("output",), "loss": ("inputs", "reduction")}
# Names that people give to targets.
_TARGETS: Final = {"y_true", "target", "targets", "true", "truth", "label", "labels", "y"}
# For each loaded module, its source when it was imported. This source runs, even if the file has changed since.
_SOURCES: Final[dict[str, dict[str, str | None]]] = {}


def load_plugin(spec: str, config_dir: Path) -> Any:
    """Return the attribute that `module:attribute` names; the module is searched in `config_dir` first.

    A module whose source has changed is imported again. sys.path is restored afterwards, so a module must import
    modules of the same folder at its top.

    Raises:
        UsageError: If the module or the attribute is missing, or importing fails.
    """
    module_name, _, attribute = spec.partition(":")
    if not all(part.isidentifier() for part in [*module_name.split("."), attribute]) or module_name.endswith(".py"):
        raise UsageError(
            f"{spec}: not a name of the form package.module:attribute; write it so, without .py or slashes"
        )
    folder = config_dir.resolve()
    # Forget the modules that it imports first, because the module itself says which they are.
    _forget_neighbours(module_name, folder)
    _forget_namesake(_top(module_name), folder)
    before = sys.modules.get(module_name)
    module = _imported(module_name, spec, folder)
    # Somebody else may have forgotten the module that was loaded last.
    if module is not before or module_name not in _SOURCES:
        _SOURCES[module_name] = read_sources(module_name)
    try:
        return getattr(module, attribute)
    except AttributeError as error:
        if module_name == "__main__":
            raise UsageError(
                f"{spec}: {attribute} was defined in a notebook or script, which is not running now; save it in a file "
                f"such as mine.py, and train with 'mine:{attribute}'"
            ) from error
        public = {name: value for name, value in vars(module).items() if not name.startswith("_")}
        # A name that the module only imports is rarely meant.
        own = [name for name, value in public.items() if getattr(value, "__module__", None) == module.__name__]
        near = nearest_first(attribute, own or list(public), "public name", "there")
        raise UsageError(f"{spec}: {module.__file__ or module_name} has no {attribute}{near}") from error


def _imported(module_name: str, spec: str, folder: Path) -> ModuleType:
    with users_code(f"{spec}: importing {module_name}", fix="; fix the module"), _searched_first(folder):
        try:
            return importlib.import_module(module_name)
        except ModuleNotFoundError as error:
            # The module itself or its package is missing, not a module that it imports.
            if not f"{module_name}.".startswith(f"{error.name}."):
                raise
            missing = error
    file = f"{module_name.replace('.', '/')}.py"
    raise UsageError(
        f"{spec}: there is no module {missing.name}; looked in {folder} and among the installed packages. "
        f"Put {file} next to the config, or fix the name{nearby(folder / file, ('.py',), 'Python file')}"
    ) from missing


def loaded_plugin(spec: str) -> Any:
    """Return the attribute that `load_plugin` last returned for `spec`."""
    module_name, _, attribute = spec.partition(":")
    return getattr(sys.modules[module_name], attribute)


def loaded_sources(spec: str) -> dict[str, str | None]:
    """Return the sources that `load_plugin` imported for `spec`, as `read_sources` does."""
    return _SOURCES.get(spec.partition(":")[0], {})


def own_files(config: Config) -> dict[str, Path]:
    """Return {relative path: file} of the user's own modules, without installed ones."""
    choices = (config.dataset, config.model, config.loss, config.optimizer)
    modules = dict.fromkeys(choice.name.partition(":")[0] for choice in choices if choice.is_plugin)
    return {name: path for module in modules for name, path in files_to_keep(module).items()}


def files_left_behind(config: Config, config_dir: Path) -> list[str]:
    """Return the files that the user's own code or its parameters name, and of which a run keeps no copy.

    They are looked for next to the code, next to the config and in the current folder.
    """
    kept = own_files(config)
    choices = (config.dataset, config.model, config.loss, config.optimizer)
    named = {text: [config_dir, Path()] for choice in choices if choice.is_plugin for text in _texts(choice.parameters)}
    for path in kept.values():
        named |= {text: [path.parent, config_dir, Path()] for text in texts_in(path)}
    modules = {path.resolve() for path in kept.values()}
    return [text for text, folders in named.items() if any(_is_left(folder / text, modules) for folder in folders)]


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for item in value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ():
        yield from _texts(item)


def _is_left(path: Path, modules: set[Path]) -> bool:
    try:
        return is_file(path) and path.resolve() not in modules
    except (OSError, ValueError):  # not the name of a file
        return False


def own_component(kind: str, choice: Choice, config_dir: Path | None) -> tuple[Any, dict[str, Any]]:
    """Return a user's model, loss or optimizer, and its own parameters, checked against its signature.

    Args:
        config_dir: Where to look for the module first; None for the one that was last loaded.

    Raises:
        UsageError: If it cannot be loaded, or takes other parameters.
    """
    function = loaded_plugin(choice.name) if config_dir is None else load_plugin(choice.name, config_dir)
    own = {name: value for name, value in choice.parameters.items() if name not in _OURS.get(kind, ())}
    # A class of a loss is called with its parameters only; everything else gets two arguments from lossrun first.
    leading = 0 if kind == "loss" and isinstance(function, type) else 2
    check_arguments(function, own, leading, f"{kind} {choice.name}")
    if kind == "loss" and leading:
        _check_order(function, choice.name)
    return function, own


def _check_order(loss: Callable[..., Any], name: str) -> None:
    """Raise UsageError for a loss whose names say that it takes targets first, as in Keras."""
    with suppress(TypeError, ValueError):
        first, second = [*inspect.signature(loss).parameters][:2]
        if first.lower() in _TARGETS and second.lower() not in _TARGETS:
            raise UsageError(
                f"loss {name}: takes ({first}, {second}), targets first; lossrun calls loss(outputs, targets), as "
                "torch does: swap the two"
            )


def check_arguments(function: Callable[..., Any], parameters: Mapping[str, Any], leading: int, what: str) -> None:
    """Check that `function(<leading positional arguments>, **parameters)` is a possible call.

    Args:
        what: What messages call the component.

    Raises:
        UsageError: With every wrong or missing parameter.
    """
    if not callable(function):
        raise UsageError(f"{what}: is a {type(function).__name__}; expected a function or a class")
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return  # Functions written in C may have no signature; then only the call itself can show.
    positional = [p for p in signature.parameters.values() if p.kind in _POSITIONAL]
    takes_any = any(p.kind is Parameter.VAR_POSITIONAL for p in signature.parameters.values())
    if len(positional) < leading and not takes_any:
        raise UsageError(f"{what}: takes {len(positional)} positional arguments, but is given {leading}: {signature}")
    filled = {p.name for p in positional[:leading]}
    named = {p.name: p for p in signature.parameters.values() if p.kind in _NAMED and p.name not in filled}
    open_ended = any(p.kind is Parameter.VAR_KEYWORD for p in signature.parameters.values())
    problems: list[str] = []
    for name in parameters:
        if name in filled or (name not in named and not open_ended):
            near = nearest(name, list(named))
            hint = f"did you mean {near}?" if near else f"it takes {', '.join(named) or 'none'}"
            problems.append(f"{what}: there is no parameter {name}; {hint}")
    required = [p.name for p in positional[leading:] if p.kind is Parameter.POSITIONAL_ONLY and _has_no_default(p)]
    required += [p.name for p in named.values() if _has_no_default(p)]
    problems += [
        f"{what}: the parameter {name} is missing and has no default" for name in required if name not in parameters
    ]
    if problems:
        raise UsageError("\n".join(problems))


def _has_no_default(parameter: Parameter) -> bool:
    return parameter.default is Parameter.empty


@contextmanager
def _searched_first(folder: Path) -> Iterator[None]:
    before, writes_none = list(sys.path), sys.dont_write_bytecode
    sys.path.insert(0, str(folder))
    # Compiled files have a resolution of a second. If a source changes twice in it, they would hold the first change.
    sys.dont_write_bytecode = True
    # The importer may have listed the folder before a new module was written.
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path[:] = before
        sys.dont_write_bytecode = writes_none


def _forget_namesake(top: str, folder: Path) -> None:
    """Forget a module `top` that was imported from another folder, so that the one in `folder` can be imported.

    Raises:
        UsageError: If the other module is installed; replacing it would break the code that uses it.
    """
    loaded = sys.modules.get(top)
    if loaded is None or not _is_hidden(top, folder):
        return
    installed = PathFinder.find_spec(top)
    if top in sys.stdlib_module_names or (installed is not None and _origin(installed) == _origin(loaded.__spec__)):
        raise UsageError(
            f"{folder / top}: a module named {top} is already in use, from "
            f"{getattr(loaded, '__file__', None) or 'Python itself'}; rename yours"
        )
    _forget({top})


def _forget_neighbours(module_name: str, folder: Path) -> None:
    """Forget modules that `module_name` may import: changed ones, and those with the same name in another folder."""
    known = _SOURCES.get(module_name, {})
    stale: set[str] = set()
    if module_name in sys.modules and known != read_sources(module_name):
        stale = {_top(name) for name in known if _is_own(name)}
    neighbours = {_top(name) for sources in _SOURCES.values() for name in sources if _is_own(name)}
    stale |= {top for top in neighbours if _is_hidden(top, folder)}
    if stale:
        _forget(stale | ({_top(module_name)} if _is_own(module_name) else set()))


def _is_hidden(top: str, folder: Path) -> bool:
    """Return whether `folder` has a module `top`, but another module of that name has been imported."""
    here, loaded = PathFinder.find_spec(top, [str(folder)]), sys.modules.get(top)
    return here is not None and loaded is not None and _origin(here) != _origin(loaded.__spec__)


def _is_own(name: str) -> bool:
    """Return whether a module is the user's, so that it may be imported again. Installed ones may be in use."""
    spec = getattr(sys.modules.get(name), "__spec__", None)
    return bool(spec and spec.has_location and spec.origin and not is_installed(Path(spec.origin)))


def _forget(tops: set[str]) -> None:
    for name in [name for name in sys.modules if _top(name) in tops]:
        del sys.modules[name]
        _SOURCES.pop(name, None)


def _top(module_name: str) -> str:
    return module_name.partition(".")[0]


def _origin(spec: ModuleSpec | None) -> str | None:
    """Return the file of a module, or the folder of a package without `__init__.py`.

    Such a package may have several folders; what is in the first one hides what the others have.
    """
    return (spec.origin or next(iter(spec.submodule_search_locations or ()), None)) if spec else None

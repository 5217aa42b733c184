"""A user's own components, named `package.module:attribute`."""

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

from lossrun.catalog import nearest
from lossrun.config.config import Choice, Config
from lossrun.errors import UsageError
from lossrun.nearby import nearby, nearest_first
from lossrun.plugins.calling import users_code
from lossrun.plugins.sources import files_to_keep, is_installed, read_sources, texts_in

_POSITIONAL: Final = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
_NAMED: Final = (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)
# Parameters that lossrun reads itself.
_OURS: Final = {"model": ("output",), "loss": ("inputs", "reduction")}
# What people call the targets.
_TARGETS: Final = {"y_true", "target", "targets", "true", "truth", "label", "labels", "y"}
# Of each module that was loaded here: its source when it was imported, which is what runs, whatever was written since.
_SOURCES: Final[dict[str, dict[str, str | None]]] = {}


def load_plugin(spec: str, config_dir: Path) -> Any:
    """The attribute that `module:attribute` names, the module being looked for in `config_dir` first.

    A module whose source has changed since it was imported is imported anew. sys.path is as before afterwards, so a
    module must import its neighbours at its top. Raises UsageError where the module or the attribute is missing, or
    importing fails.
    """
    module_name, _, attribute = spec.partition(":")
    if not all(part.isidentifier() for part in [*module_name.split("."), attribute]) or module_name.endswith(".py"):
        raise UsageError(
            f"{spec}: not a name of the form package.module:attribute; write it so, without .py or slashes"
        )
    folder = config_dir.resolve()
    # Neighbours first: they are known by the module that is to be forgotten.
    _forget_neighbours(module_name, folder)
    _forget_namesake(_top(module_name), folder)
    module = _imported(module_name, spec, folder)
    _SOURCES.setdefault(module_name, read_sources(module_name))
    try:
        return getattr(module, attribute)
    except AttributeError as error:
        public = {name: value for name, value in vars(module).items() if not name.startswith("_")}
        # What it only imports is seldom meant.
        own = [name for name, value in public.items() if getattr(value, "__module__", None) == module.__name__]
        near = nearest_first(attribute, own or list(public), "public name", "there")
        raise UsageError(f"{spec}: {module.__file__ or module_name} has no {attribute}{near}") from error


def _imported(module_name: str, spec: str, folder: Path) -> ModuleType:
    with users_code(f"{spec}: importing {module_name}", fix="; mend the module"), _searched_first(folder):
        try:
            return importlib.import_module(module_name)
        except ModuleNotFoundError as error:
            # The module itself, or a package that it is said to be in: not one that it imports.
            if not f"{module_name}.".startswith(f"{error.name}."):
                raise
            missing = error
    file = f"{module_name.replace('.', '/')}.py"
    raise UsageError(
        f"{spec}: there is no module {missing.name}; looked in {folder} and among the installed packages. "
        f"Put {file} next to the config, or fix the name{nearby(folder / file, ('.py',), 'Python file')}"
    ) from missing


def loaded_plugin(spec: str) -> Any:
    """The attribute that `load_plugin` gave for `spec` last."""
    module_name, _, attribute = spec.partition(":")
    return getattr(sys.modules[module_name], attribute)


def loaded_sources(spec: str) -> dict[str, str | None]:
    """The source that `load_plugin` imported for `spec`: {module: beginning of its file's SHA-256}, as read_sources."""
    return _SOURCES.get(spec.partition(":")[0], {})


def own_files(config: Config) -> dict[str, Path]:
    """{relative path: file} of the modules that the user's own components were imported from, installed ones left
    out."""
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
        return path.is_file() and path.resolve() not in modules
    except (OSError, ValueError):  # no name of a file
        return False


def own_component(kind: str, choice: Choice, config_dir: Path) -> tuple[Any, dict[str, Any]]:
    """A user's model, loss or optimizer, and the parameters that are its own, checked against its signature. Raises
    UsageError."""
    function = load_plugin(choice.name, config_dir)
    own = {name: value for name, value in choice.parameters.items() if name not in _OURS.get(kind, ())}
    # A class of losses is made from its parameters alone; all else is called with two things of ours first.
    leading = 0 if kind == "loss" and isinstance(function, type) else 2
    check_arguments(function, own, leading, f"{kind} {choice.name}")
    if kind == "loss" and leading:
        _check_order(function, choice.name)
    return function, own


def _check_order(loss: Callable[..., Any], name: str) -> None:
    """A loss of Keras is called with the targets first. Raises UsageError for one that names them so."""
    with suppress(TypeError, ValueError):
        first, second = [*inspect.signature(loss).parameters][:2]
        if first.lower() in _TARGETS and second.lower() not in _TARGETS:
            raise UsageError(
                f"loss {name}: takes ({first}, {second}), targets first; lossrun calls loss(outputs, targets), as "
                f"torch does: swap the two"
            )


def check_arguments(function: Callable[..., Any], parameters: Mapping[str, Any], leading: int, what: str) -> None:
    """Whether `function(<leading positional arguments>, **parameters)` is a possible call.

    `what` names the component in messages. Raises UsageError, naming every wrong or missing parameter.
    """
    if not callable(function):
        raise UsageError(f"{what}: is a {type(function).__name__}; expected a function or a class")
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return  # Built into C without a signature: the call itself will tell.
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
    # Compiled files go by the second: of a source changed twice in one, they would give the code of the first change.
    sys.dont_write_bytecode = True
    # A module written a moment ago may not be in the importer's listing of the folder.
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path[:] = before
        sys.dont_write_bytecode = writes_none


def _forget_namesake(top: str, folder: Path) -> None:
    """Make way for the `top` in `folder` where another folder's module of that name was imported before.

    Raises UsageError where that other one is installed: replacing it would break whoever uses it.
    """
    loaded = sys.modules.get(top)
    if loaded is None or not _is_hidden(top, folder):
        return
    installed = PathFinder.find_spec(top)
    if top in sys.stdlib_module_names or (installed is not None and _origin(installed) == _origin(loaded.__spec__)):
        raise UsageError(
            f"{folder / top}: a module named {top} is in use already, from "
            f"{getattr(loaded, '__file__', None) or 'Python itself'}; rename yours"
        )
    _forget({top})


def _forget_neighbours(module_name: str, folder: Path) -> None:
    """Make way for modules that `module_name` may import: those changed since, and namesakes from another folder."""
    known = _SOURCES.get(module_name, {})
    stale: set[str] = set()
    if module_name in sys.modules and known != read_sources(module_name):
        stale = {_top(name) for name in known if _is_own(name)}
    neighbours = {_top(name) for sources in _SOURCES.values() for name in sources if _is_own(name)}
    stale |= {top for top in neighbours if _is_hidden(top, folder)}
    if stale:
        _forget(stale | ({_top(module_name)} if _is_own(module_name) else set()))


def _is_hidden(top: str, folder: Path) -> bool:
    """Whether `folder` has a module of that name which another one, imported already, stands in the way of."""
    here, loaded = PathFinder.find_spec(top, [str(folder)]), sys.modules.get(top)
    return here is not None and loaded is not None and _origin(here) != _origin(loaded.__spec__)


def _is_own(name: str) -> bool:
    """Whether a module is the user's and may be imported again; one of an installed package may be in use elsewhere."""
    spec = getattr(sys.modules.get(name), "__spec__", None)
    return bool(spec and spec.has_location and spec.origin and not is_installed(Path(spec.origin)))


def _forget(tops: set[str]) -> None:
    for name in [name for name in sys.modules if _top(name) in tops]:
        del sys.modules[name]
        _SOURCES.pop(name, None)


def _top(module_name: str) -> str:
    return module_name.partition(".")[0]


def _origin(spec: ModuleSpec | None) -> str | list[str] | None:
    """The file of a module, or the folders of a package without `__init__.py`."""
    return (spec.origin or list(spec.submodule_search_locations or ())) if spec else None

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lossrun.config.plugins import check_arguments, load_plugin
from lossrun.errors import UsageError


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_the_configs_folder_is_searched_first_and_the_path_left_alone(tmp_path: Path) -> None:
    write(tmp_path / "plugin_first.py", "import plugin_neighbour\nanswer = plugin_neighbour.value")
    write(tmp_path / "plugin_neighbour.py", "value = 42")
    before = list(sys.path)
    assert load_plugin("plugin_first:answer", tmp_path) == 42
    assert sys.path == before


def test_modules_of_packages_and_installed_ones(tmp_path: Path) -> None:
    write(tmp_path / "plugin_package" / "inner.py", "value = 1")
    assert load_plugin("plugin_package.inner:value", tmp_path) == 1
    assert load_plugin("math:sqrt", tmp_path)(9) == 3


def test_two_folders_may_use_one_name(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        write(tmp_path / folder / "plugin_namesake.py", f"value = {folder!r}")
    assert [load_plugin("plugin_namesake:value", tmp_path / folder) for folder in "aba"] == ["a", "b", "a"]


def test_an_installed_module_is_not_replaced(tmp_path: Path) -> None:
    for name in ("json", "numpy"):
        before = __import__(name)
        write(tmp_path / f"{name}.py", "value = 1")
        with pytest.raises(UsageError, match="rename yours"):
            load_plugin(f"{name}:value", tmp_path)
        assert sys.modules[name] is before


@pytest.mark.parametrize(
    ("spec", "complaint"),
    [
        ("plugin_absent:loss", "there is no module plugin_absent; looked in"),
        ("plugin_absent.inner:loss", "there is no module plugin_absent; .*plugin_absent/inner.py"),
        ("plugin_errors:hubber", "did you mean huber?"),
        ("plugin_raises:x", r"raised ZeroDivisionError: .*plugin_raises.py:2\); mend"),
        ("plugin_imports:x", "raised ModuleNotFoundError: No module named 'plugin_missing'"),
        ("plugin_syntax:x", "raised SyntaxError"),
        ("folder/plugin.py:x", "not a name of the form"),
        ("plugin_errors:", "not a name of the form"),
    ],
)
def test_what_cannot_be_had_is_refused(tmp_path: Path, spec: str, complaint: str) -> None:
    write(tmp_path / "plugin_errors.py", "def huber(): ...")
    write(tmp_path / "plugin_raises.py", "\n1 / 0")
    write(tmp_path / "plugin_imports.py", "import plugin_missing")
    write(tmp_path / "plugin_syntax.py", "def")
    with pytest.raises(UsageError, match=complaint):
        load_plugin(spec, tmp_path)


def plain(outputs: Any, targets: Any, delta: float, power: float = 2.0) -> None: ...
def keyword_only(outputs: Any, targets: Any, *, delta: float = 1.0) -> None: ...
def open_ended(*args: Any, **parameters: Any) -> None: ...


class Layer:
    def __init__(self, outputs: Any, targets: Any, delta: float = 1.0) -> None: ...


@pytest.mark.parametrize(
    ("function", "parameters"),
    [
        (plain, {"delta": 1}),
        (plain, {"delta": 1, "power": 3}),
        (keyword_only, {}),
        (open_ended, {"anything": 1}),
        (Layer, {"delta": 2}),
        (dict.fromkeys, {}),
    ],
)
def test_possible_calls_pass(function: Callable[..., Any], parameters: dict[str, Any]) -> None:
    check_arguments(function, parameters, leading=2, what="loss own:f")


@pytest.mark.parametrize(
    ("function", "parameters", "complaint"),
    [
        (plain, {}, "loss own:f: the parameter delta is missing"),
        (plain, {"delta": 1, "pover": 1}, "no parameter pover; did you mean power?"),
        (plain, {"delta": 1, "targets": 1}, "no parameter targets"),
        (Layer, {"beta": 1}, "no parameter beta; .*delta"),
        (lambda outputs: outputs, {}, "takes 1 positional arguments, but is given 2"),
        (3, {}, "expected a function or a class"),
    ],
)
def test_impossible_calls_are_refused(function: Any, parameters: dict[str, Any], complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        check_arguments(function, parameters, leading=2, what="loss own:f")


def test_all_problems_are_named_at_once() -> None:
    with pytest.raises(UsageError, match=r"pover(.|\n)*delta is missing"):
        check_arguments(plain, {"pover": 1}, leading=2, what="loss own:f")

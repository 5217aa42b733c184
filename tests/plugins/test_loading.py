import hashlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lossrun.config.config import Choice
from lossrun.errors import UsageError
from lossrun.plugins.loading import check_arguments, load_plugin, loaded_plugin, loaded_sources, own_component


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


def test_a_package_in_use_that_goes_on_in_another_folder_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A package without `__init__.py` consists of all folders of its name on the path; the first one comes first."""
    for folder in ("first", "second"):
        write(tmp_path / folder / "plugin_spread" / f"{folder}_half.py", f"value = {folder!r}")
        monkeypatch.syspath_prepend(tmp_path / folder)
    import plugin_spread.first_half  # type: ignore[import-not-found]  # noqa: F401

    assert load_plugin("plugin_spread.second_half:value", tmp_path / "second") == "second"


def test_an_installed_module_is_not_replaced(tmp_path: Path) -> None:
    for name in ("json", "numpy"):
        before = __import__(name)
        write(tmp_path / f"{name}.py", "value = 1")
        with pytest.raises(UsageError, match="rename yours"):
            load_plugin(f"{name}:value", tmp_path)
        assert sys.modules[name] is before


def test_a_module_that_was_changed_is_imported_anew_and_with_it_its_importers(tmp_path: Path) -> None:
    """A notebook trains, its reader edits a file and trains again: what is recorded has to be what ran."""
    write(tmp_path / "plugin_edited.py", "from plugin_inner import value\nother = 1")
    write(tmp_path / "plugin_inner.py", "value = 1")
    assert load_plugin("plugin_edited:value", tmp_path) == 1
    before, module = loaded_sources("plugin_edited:value"), sys.modules["plugin_edited"]
    assert load_plugin("plugin_edited:other", tmp_path) == 1
    assert sys.modules["plugin_edited"] is module
    # As long, within the same second: by size and time the compiled file would still seem good.
    write(tmp_path / "plugin_inner.py", "value = 2")
    assert load_plugin("plugin_edited:value", tmp_path) == loaded_plugin("plugin_edited:value") == 2
    after = loaded_sources("plugin_edited:value")
    assert after["plugin_edited"] == before["plugin_edited"]
    assert after["plugin_inner"] != before["plugin_inner"]
    assert not list(tmp_path.glob("**/*.pyc"))


def test_the_source_is_that_of_the_module_even_if_somebody_else_forgot_the_last_one(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "plugin_forgotten.py").write_text(f"value = {name!r}\n")
        sys.modules.pop("plugin_forgotten", None)
        assert load_plugin("plugin_forgotten:value", tmp_path / name) == name
        content = (tmp_path / name / "plugin_forgotten.py").read_bytes()
        assert loaded_sources("plugin_forgotten:value") == {
            "plugin_forgotten": hashlib.sha256(content).hexdigest()[:16]
        }


def test_two_folders_may_use_one_name_for_what_their_modules_import(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        write(tmp_path / folder / f"plugin_of_{folder}.py", "from plugin_shared import value")
        write(tmp_path / folder / "plugin_shared.py", f"value = {folder!r}")
    assert [load_plugin(f"plugin_of_{folder}:value", tmp_path / folder) for folder in "aba"] == ["a", "b", "a"]
    for folder in ("a", "b"):
        write(tmp_path / folder / "plugin_bare" / "inner.py", f"value = {folder!r}")
    assert [load_plugin("plugin_bare.inner:value", tmp_path / folder) for folder in "aba"] == ["a", "b", "a"]


def test_the_source_is_the_module_with_its_packages_and_all_it_imports_from_its_folder(tmp_path: Path) -> None:
    files = {
        "plugin_pack/__init__.py": "",
        "plugin_pack/losses.py": "import json\nfrom . import shapes\nfrom .deep.er import x\nimport plugin_sibling",
        "plugin_pack/shapes.py": "import numpy as np",
        "plugin_pack/deep/er.py": "x = 1",
        "plugin_pack/unused.py": "",
        "plugin_sibling.py": "def later():\n    import plugin_late\n    import lossrun",
        "plugin_late.py": "import plugin_sibling",
        "json.py": "not_what_is_imported = 1",
        "plugin_unused.py": "",
    }
    for name, text in files.items():
        write(tmp_path / name, text)
    load_plugin("plugin_pack.losses:x", tmp_path)
    sources = loaded_sources("plugin_pack.losses:x")
    expected = {
        "plugin_late": "plugin_late.py",
        "plugin_pack": "plugin_pack/__init__.py",
        "plugin_pack.deep.er": "plugin_pack/deep/er.py",
        "plugin_pack.losses": "plugin_pack/losses.py",
        "plugin_pack.shapes": "plugin_pack/shapes.py",
        "plugin_sibling": "plugin_sibling.py",
    }
    # By hand: the beginning of each file's SHA-256, modules in the order of their names.
    assert list(sources.items()) == [
        (name, hashlib.sha256((tmp_path / file).read_bytes()).hexdigest()[:16]) for name, file in expected.items()
    ]


def test_an_installed_module_stands_for_itself_and_one_without_a_file_has_no_source() -> None:
    import numpy.linalg

    load_plugin("numpy.linalg:norm", Path())
    file = Path(numpy.linalg.__file__).read_bytes()
    assert loaded_sources("numpy.linalg:norm") == {"numpy.linalg": hashlib.sha256(file).hexdigest()[:16]}
    load_plugin("itertools:chain", Path())
    assert loaded_sources("itertools:chain") == {"itertools": None}


def test_a_module_whose_source_is_gone_is_refused_rather_than_taken_from_memory(tmp_path: Path) -> None:
    write(tmp_path / "plugin_gone.py", "value = 1")
    load_plugin("plugin_gone:value", tmp_path)
    (tmp_path / "plugin_gone.py").unlink()
    with pytest.raises(UsageError, match="there is no module plugin_gone"):
        load_plugin("plugin_gone:value", tmp_path)


@pytest.mark.parametrize(
    ("spec", "complaint"),
    [
        ("plugin_absent:loss", "there is no module plugin_absent; looked in"),
        ("plugin_absent.inner:loss", "there is no module plugin_absent; .*plugin_absent/inner.py"),
        ("plugin_errors:hubber", "did you mean huber?"),
        ("plugin_raises:x", r"raised ZeroDivisionError: .*plugin_raises.py:2\); fix"),
        ("plugin_imports:x", "raised ModuleNotFoundError: .*plugin_missing"),
        ("plugin_syntax:x", "raised SyntaxError"),
        ("plugin_exits:x", r"raised SystemExit: 0 .*plugin_exits.py:1\); fix"),
        ("plugin_errors.py:x", "not a name of the form .* without .py"),
        ("folder/plugin.py:x", "not a name of the form"),
        ("plugin_errors:", "not a name of the form"),
    ],
)
def test_what_cannot_be_had_is_refused(tmp_path: Path, spec: str, complaint: str) -> None:
    write(tmp_path / "plugin_errors.py", "def huber(): ...")
    write(tmp_path / "plugin_raises.py", "\n1 / 0")
    write(tmp_path / "plugin_imports.py", "import plugin_missing")
    write(tmp_path / "plugin_syntax.py", "def")
    write(tmp_path / "plugin_exits.py", "raise SystemExit(0)")
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


def test_a_loss_with_the_targets_first_is_refused(tmp_path: Path) -> None:
    """As Keras has it: called the other way round, it would train on another loss without a word."""
    (tmp_path / "order.py").write_text(
        "def keras(y_true, y_pred, q=0.9): ...\ndef ours(outputs, targets): ...\ndef short(y_pred, y): ...\n"
        "class Weighted:\n    def __init__(self, y=1.0): ...\n"
    )
    with pytest.raises(UsageError) as caught:
        own_component("loss", Choice("order:keras", {"q": 0.5}), tmp_path)
    assert "takes (y_true, y_pred), targets first; lossrun calls loss(outputs, targets)" in str(caught.value)
    for name in ("ours", "short", "Weighted"):
        own_component("loss", Choice(f"order:{name}", {}), tmp_path)

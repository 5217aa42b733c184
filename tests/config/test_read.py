import errno
import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lossrun.catalog import COMPONENTS
from lossrun.catalog.parameter import REQUIRED, Key, KeyGroup, Parameter
from lossrun.config import SourcedConfig, from_mapping, read
from lossrun.config.keys import KEYS
from lossrun.errors import ConfigError
from lossrun.records.files import config_file

Read = Callable[..., SourcedConfig]


# Any config that the declarations allow, as a mapping.


def leaves(annotation: Any, p: Parameter) -> st.SearchStrategy[Any]:
    origin = get_origin(annotation)
    if origin is Literal:
        return st.sampled_from(get_args(annotation))
    if origin in (UnionType, Union):
        return st.one_of(*(leaves(option, p) for option in get_args(annotation)))
    if origin is list:
        return st.lists(leaves(get_args(annotation)[0], p), max_size=3)
    if origin is dict:
        return st.dictionaries(texts(), leaves(get_args(annotation)[1], p), max_size=2)
    if annotation is int:
        low = int(p.at_least) if p.at_least is not None else -(2**63)
        return st.integers(low, int(p.at_most) if p.at_most is not None else 2**63)
    if annotation is float:
        low, high = (p.at_least if p.above is None else p.above), (p.at_most if p.below is None else p.below)
        return st.floats(
            low,
            high,
            exclude_min=p.above is not None,
            exclude_max=p.below is not None,
            allow_nan=False,
            allow_infinity=False,
        )
    if annotation is bool:
        return st.booleans()
    if annotation is str:
        return st.sampled_from(["1 epoch", "20 steps"]) if p.pattern else texts()
    assert annotation is type(None)
    return st.none()


def texts() -> st.SearchStrategy[str]:
    tricky = ["1e-3", "0o7", "0x1F", "yes", "null", "~", "", "- a", "a: b", "#", ".inf", "010", "=", "<<", "2026-11-21"]
    return st.sampled_from(tricky) | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


def values(key: Key) -> st.SearchStrategy[Any]:
    if isinstance(key, Parameter):
        return leaves(key.type, key)
    if isinstance(key, KeyGroup):
        return mappings(key.parameters).map(partial(consistent, key))
    one = st.sampled_from(COMPONENTS[key.kind]).flatmap(
        lambda component: mappings(component.parameters, name=component.name)
    )
    return st.lists(one, max_size=2) | st.sampled_from(sorted(key.presets)) if key.many else one


def consistent(group: KeyGroup, given: dict[str, Any]) -> dict[str, Any] | None:
    """The mapping, cut to its first value where its values contradict one another; None where there is none."""
    if not group.contradiction({**dict.fromkeys(p.name for p in group.parameters), **given}):
        return given
    return dict([next(iter(given.items()))]) if given else None


def mappings(keys: tuple[Key, ...], **fixed: Any) -> st.SearchStrategy[dict[str, Any]]:
    must = {key.name: values(key) for key in keys if key.default is REQUIRED}
    may = {key.name: values(key) for key in keys if key.default is not REQUIRED}
    return st.fixed_dictionaries(must, optional=may).map(lambda given: {**fixed, **given})


SEEDS = st.integers(1, 20) | st.lists(st.integers(0, 2**63), min_size=1, max_size=4, unique=True)
CONFIGS = st.builds(
    lambda given, seeds: {**given, "seeds": seeds},
    mappings(tuple(key for key in KEYS if key.name not in ("seed", "seeds", "splits", "folds"))),
    SEEDS,
)


@settings(max_examples=60)
@given(CONFIGS)
def test_any_config_survives_its_own_file(read_text: Read, raw: dict[str, Any]) -> None:
    config = from_mapping(raw, Path()).config
    mapping = config.to_mapping()
    assert from_mapping(mapping, Path()).config == config
    assert read_text(config_file.dumps(mapping)).config == config
    assert read_text(config_file.dumps(mapping)).config.to_mapping() == mapping


VALID = """\
# Every kind of value once.
name: "a b"
dataset: {name: csv, path: a.csv, target: [y, 'z'], standardize: {inputs: true}}
model:
  name: cnn
  layers:
  - {name: conv, filters: 6, kernel: 5}
  - max_pool
loss: {name: BCEWithLogitsLoss, class_weights: [1, 2.5e-1], from_logits: true}
optimizer: keras.Adam
learning_rate: 1e-3
seeds: [3, 4]
checkpoint: 200 steps
early_stopping: {patience: 5}
"""
MARKUP = [
    "\t",
    "\n",
    ":",
    ": ",
    "- ",
    "{",
    "}",
    "[",
    "]",
    "'",
    '"',
    "&a ",
    "*a",
    "!!x ",
    "|",
    ">",
    "---\n",
    "? ",
    "#",
    "%",
]
WORDS = [".nan", "1e999", "null", "true", "0x1", "name", "seeds: 9", "lr: 1\n", "\x00", "\x85", "\ufeff"]
PIECES = st.text(max_size=3) | st.sampled_from(MARKUP + WORDS)


def mistakes(read_text: Read, text: str, *overrides: str) -> list[str]:
    """What is wrong with the text; anything but a ConfigError passes through."""
    try:
        read_text(text, *overrides)
    except ConfigError as error:
        return error.problems or ["an error without a problem"]
    return []


@st.composite
def mutilated(draw: st.DrawFn) -> str:
    text = VALID
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.sampled_from([0, 0, 1, 2, 5, 20])))
        text = text[:start] + draw(PIECES) + text[end:]
    return text


@settings(max_examples=100)  # `python -m tests.crash bad-configs` tries 3,000
@given(mutilated())
def test_no_text_makes_read_raise_anything_but_config_error(read_text: Read, text: str) -> None:
    assert all("c.yaml" in problem for problem in mistakes(read_text, text))


@settings(max_examples=100)
@given(st.lists(st.sampled_from(VALID.splitlines()), max_size=16).map("\n".join))
def test_lines_in_any_order_and_number(read_text: Read, text: str) -> None:
    assert all("c.yaml" in problem for problem in mistakes(read_text, text))


@settings(max_examples=100)
@given(st.text(max_size=6) | st.sampled_from([*(key.name for key in KEYS), "model.layers.0", "loss.name.x"]), PIECES)
def test_no_option_makes_read_raise_anything_but_config_error(read_text: Read, key: str, value: str) -> None:
    assert all("--set" in problem or "c.yaml" in problem for problem in mistakes(read_text, VALID, f"{key}={value}"))


def test_the_valid_text_is_valid(read_text: Read) -> None:
    assert read_text(VALID).config.seeds == (3, 4)


def test_paths_start_from_the_config(tmp_path: Path, shortest: str) -> None:
    (tmp_path / "c.yaml").write_text(shortest)
    assert read(tmp_path / "c.yaml").directory == tmp_path.resolve()


def test_line_ends_and_a_byte_order_mark_do_not_matter(tmp_path: Path, shortest: str) -> None:
    plain, windows = tmp_path / "a.yaml", tmp_path / "b.yaml"
    plain.write_text(shortest)
    windows.write_bytes(b"\xef\xbb\xbf" + shortest.replace("\n", "\r\n").encode())
    assert read(windows).config == read(plain).config


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"name: \xff", ":1:7: not UTF-8 at byte 6; save it as UTF-8"),
        (b"a: 1\r\nb: \xff", ":2:4: not UTF-8 at byte 9"),
        ("name: a".encode("utf-16"), "not UTF-8 at byte 0"),
        (None, f"cannot be read: {os.strerror(errno.EISDIR)}"),
    ],
)
def test_files_that_cannot_be_read(tmp_path: Path, content: bytes | None, complaint: str) -> None:
    path = tmp_path / "c.yaml"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        read(path)
    assert caught.value.problems == [f"{path}: {complaint}"] or complaint in caught.value.problems[0]


def test_a_missing_file_names_its_neighbours(tmp_path: Path) -> None:
    (tmp_path / "mnist.yaml").touch()
    with pytest.raises(ConfigError, match=r"mnits.yaml: no such file; did you mean mnist.yaml\? 1 YAML file"):
        read(tmp_path / "mnits.yaml")
    with pytest.raises(ConfigError, match=r"no such file; there is no folder .*nowhere; `lossrun new` writes a config"):
        read(tmp_path / "nowhere" / "c.yaml")


def test_a_configuration_error_imports_nothing_heavy(tmp_path: Path, shortest: str) -> None:
    (tmp_path / "c.yaml").write_text(shortest + "lr: [1\nx: *a")
    (tmp_path / "d.yaml").write_text(shortest.replace("adam", "adamm") + "seeds: 0\nloss: huber")
    (tmp_path / "e.yaml").write_text(shortest.replace("adam", "adamm") + "seeds: 0\nepochs: ten")
    code = """if True:
        import sys
        from pathlib import Path
        from lossrun.config import read
        from lossrun.errors import ConfigError
        for name in ("c", "d", "e"):
            try:
                read(Path(sys.argv[1]) / f"{name}.yaml", ["lr=3"] if name == "e" else [])
            except ConfigError:
                pass
            else:
                raise AssertionError(name)
        heavy = {"torch", "numpy", "rich", "scipy", "matplotlib", "sklearn", "requests", "typer", "safetensors"}
        print(sorted(heavy & {name.partition(".")[0] for name in sys.modules}))
    """
    ran = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "[]\n", "")

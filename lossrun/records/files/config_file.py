"""Write and read config.yaml of a run: the resolved config, written once."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from lossrun.errors import RunError
from lossrun.records.files.contents import content

LONGEST: Final = 1 << 22  # bytes; a config has at most 256 KiB before its defaults are written out
DEEPEST: Final = 200  # levels of lists and mappings; no config of ours has nearly as many
HEADING: Final = "# The resolved config of this run, every default written out. To change the run: `resume --set`.\n"


class _Representer(yaml.representer.SafeRepresenter):
    """Writes YAML that versions 1.1 and 1.2 read in the same way, without anchors, which lossrun's reader refuses."""

    def ignore_aliases(self, _: Any) -> bool:
        return True


class _Dumper(_Representer, yaml.SafeDumper):
    """The emitter in Python."""


class _FastDumper(_Representer, getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """The emitter of libyaml, if PyYAML was built with it: it takes a quarter of the time."""


def _represent_str(dumper: yaml.representer.SafeRepresenter, text: str) -> yaml.ScalarNode:
    # Without quotes, PyYAML writes some control characters so that they are read back as blanks.
    style = '"' if not text.isprintable() else "'" if _looks_like_a_number(text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Representer.add_representer(str, _represent_str)


def dumps(config: Mapping[str, Any]) -> str:
    """Return the text of the file, with keys in the config's order."""
    try:
        return HEADING + _dumped(config, _FastDumper)
    except UnicodeEncodeError:
        # libyaml refuses half of a surrogate pair, which stands for a byte in a file's name.
        return HEADING + _dumped(config, _Dumper)


def read(path: Path) -> dict[str, Any]:
    """Return the mapping in the file.

    Raises:
        RunError: If it cannot be read, or is not a mapping.
    """
    return parsed(path, content(path, LONGEST))


def parsed(path: Path, text: bytes) -> dict[str, Any]:
    """Return the mapping in the file at `path`, which has the content `text`.

    Raises:
        RunError: If it is not a mapping.
    """
    try:
        config = _loaded(text.decode("utf-8-sig"))
        _check_depth(config)
    # ValueError: bytes that are not text, a number with thousands of digits, or a date that does not exist.
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        raise RunError(f"cannot read {path}: {error}; the file is damaged: restore it from a copy") from error
    if not isinstance(config, dict):
        raise RunError(f"{path} is not a mapping; the file is damaged: restore it from a copy")
    return config


def _dumped(config: Mapping[str, Any], dumper: type) -> str:
    return _escaped(yaml.dump(dict(config), Dumper=dumper, sort_keys=False, allow_unicode=True, width=120))


def _escaped(text: str) -> str:
    """Escape invisible characters, such as U+202E, which reverses the direction of the text.

    YAML treats some of these characters as printable. Strings that contain any are written in double quotes.
    """
    if text.replace("\n", "").isprintable():
        return text
    return "".join(one if one.isprintable() or one == "\n" else f"\\U{ord(one):08x}" for one in text)


def _loaded(text: str) -> Any:
    # lossrun writes no aliases, and a few lines of aliases can expand to more values than fit into memory.
    if "*" in text and any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=yaml.SafeLoader)):
        raise yaml.YAMLError("it has aliases (*name)")
    try:
        return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError:
        # libyaml refuses half of a surrogate pair, which stands for a byte in a file's name.
        return yaml.load(text, Loader=yaml.SafeLoader)


def _check_depth(tree: Any) -> None:
    """Raise YAMLError for a tree deeper than any config of lossrun. The limit of libyaml depends on its version."""
    level = [tree]
    for _ in range(DEEPEST):
        level = [
            item
            for node in level
            if isinstance(node, dict | list)
            for item in (node.values() if isinstance(node, dict) else node)
        ]
        if not level:
            return
    raise yaml.YAMLError("lists and mappings are nested too deeply")


def _looks_like_a_number(text: str) -> bool:
    """Return whether YAML 1.2 reads a number where YAML 1.1 reads a string: `1e-3`, `0o7`."""
    try:
        float(text)
    except ValueError:
        return text[:2] in ("0o", "0x")
    return True

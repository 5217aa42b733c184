"""config.yaml of a run: the resolved config, written once, read by everything that looks at the run later."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from lossrun.errors import RunError

HEADING: Final = "# The resolved config of this run, every default written out. Never edited: `resume --set` changes.\n"


class _Dumper(yaml.SafeDumper):
    """Writes what both YAML 1.1 and 1.2 read alike, without anchors (lossrun's own reader refuses them)."""

    def ignore_aliases(self, _: Any) -> bool:
        return True


def _represent_str(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    # Bare, PyYAML writes some control characters in a way that it reads back as blanks.
    style = '"' if not text.isprintable() else "'" if _looks_like_a_number(text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_str)


def dumps(config: Mapping[str, Any]) -> str:
    """The text of the file, keys in the config's own order."""
    return HEADING + yaml.dump(dict(config), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


def read(path: Path) -> dict[str, Any]:
    """The mapping in the file. Raises RunError where it cannot be read or is none."""
    try:
        text = path.read_bytes()
    except OSError as error:
        raise RunError(f"cannot read {path}: {error.strerror or error}") from error
    return parsed(path, text)


def parsed(path: Path, text: bytes) -> dict[str, Any]:
    """The mapping in the file at `path`, which holds `text`. Raises RunError where there is none."""
    try:
        config = _loaded(text.decode("utf-8-sig"))
    except (UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        raise RunError(f"cannot read {path}: {error}; the file is damaged: restore it from a copy") from error
    if not isinstance(config, dict):
        raise RunError(f"{path} holds no mapping; the file is damaged: restore it from a copy")
    return config


def _loaded(text: str) -> Any:
    try:
        return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError:
        # libyaml does not take the half of a surrogate pair, which stands for a byte in a file's name.
        return yaml.load(text, Loader=yaml.SafeLoader)


def _looks_like_a_number(text: str) -> bool:
    """YAML 1.1 takes `1e-3` and `0o7` for strings and leaves them bare; YAML 1.2 would read numbers."""
    try:
        float(text)
    except ValueError:
        return text[:2] in ("0o", "0x")
    return True

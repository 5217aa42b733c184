"""Read a file or a mapping into a validated config."""

import sys
from codecs import BOM_UTF8
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from lossrun.config.config import Config
from lossrun.config.overrides import Override, apply
from lossrun.config.reader import MAX_BYTES, parse
from lossrun.config.source import ConfigSource
from lossrun.config.validate import validate
from lossrun.errors import ConfigError
from lossrun.files import read_at_most
from lossrun.nearby import about, joined, nearest, nearest_first
from lossrun.packaged import packaged_config, packaged_configs
from lossrun.shell import command

ENDINGS: Final = (".yaml", ".yml")
SWEEP: Final = "sweep"  # the key of the sweep block, which belongs to many runs and to no single config


@dataclass(frozen=True, slots=True)
class SourcedConfig:
    """A config, where its values stand, the folder that its paths start from, and notes on spellings.

    `raw` is the mapping that was validated, and `sweep` its sweep block, None without one; `sweeping/` reads both.
    """

    config: Config
    source: ConfigSource
    directory: Path
    notes: tuple[str, ...] = ()
    raw: Mapping[str, Any] = field(default_factory=dict)
    sweep: Any = None


def read(path: Path, overrides: Sequence[Override] = ()) -> SourcedConfig:
    """Read a config file, or the packaged config of that name if there is no such file.

    Paths in a packaged config start from the current folder.

    Raises:
        ConfigError: With every mistake in the file.
    """
    packaged = packaged_config(path)
    try:
        # Line ends are read as `open` does; the parser refuses a text that is too long.
        content = read_at_most(packaged or path, MAX_BYTES + len(BOM_UTF8))
        errors = "replace" if len(content) > MAX_BYTES + len(BOM_UTF8) else "strict"  # the cut may split a character
        text = content.decode("utf-8-sig", errors).replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        raise ConfigError([f"{path}{_place(error)}: not UTF-8 at byte {error.start}; save it as UTF-8"]) from None
    except FileNotFoundError as error:
        raise ConfigError([_absent(path, error)]) from None
    except OSError as error:
        there = about(path, error, ENDINGS, "YAML file")
        raise ConfigError([f"{path}: cannot be read: {error.strerror}{there}"]) from None
    raw, source = parse(text, str(path))
    return _reading(raw, source, Path.cwd() if packaged else path.resolve().parent, overrides)


def read_standard_input(overrides: Sequence[Override] = ()) -> SourcedConfig:
    """Read a config that is typed or piped in; paths in it start from the current folder."""
    name = "standard input"
    try:
        data = sys.stdin.buffer.read(MAX_BYTES + 1) if sys.stdin else b""
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # A large text is cut, perhaps within a character.
        if len(data) > MAX_BYTES:
            raise ConfigError([f"{name}: larger than {MAX_BYTES // 1024} KiB; a config should fit on a page"]) from None
        raise ConfigError([f"{name}{_place(error)}: not UTF-8 at byte {error.start}; expected UTF-8"]) from None
    except OSError as error:
        raise ConfigError([f"{name}: cannot be read: {error.strerror}"]) from None
    raw, source = parse(text, name)
    return _reading(raw, source, Path.cwd(), overrides)


def from_mapping(
    raw: Mapping[str, Any], directory: Path, overrides: Sequence[Override] = (), name: str = "config"
) -> SourcedConfig:
    """Read a config from a mapping; messages call it `name`.

    Raises:
        ConfigError: With every mistake in it.
    """
    return _reading(raw, ConfigSource(name), directory, overrides)


def _place(error: UnicodeDecodeError) -> str:
    """Return line and column of the first byte that is not text."""
    before = bytes(error.object[: error.start]).decode("utf-8-sig", "replace")
    lines = before.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return f":{len(lines)}:{len(lines[-1]) + 1}"


def _absent(path: Path, error: FileNotFoundError) -> str:
    """Say which files and which packaged configs may be meant instead of a file that does not exist."""
    text, names = f"{path}: no such file{about(path, error, ENDINGS, 'YAML file')}", sorted(packaged_configs())
    could_be_a_name = not path.suffix and path.parent == Path()
    if could_be_a_name or nearest(path.name, names, ENDINGS):
        packaged = nearest_first(path.name, names, "config", "come with lossrun", ignore=ENDINGS)
        text = joined(text, packaged.removeprefix("; "))
    return joined(text, f"`{command('new')}` writes a config to start from")


def _reading(raw: Any, source: ConfigSource, directory: Path, overrides: Sequence[Override]) -> SourcedConfig:
    raw, source = apply(raw, source, overrides)
    sweep = raw.get(SWEEP) if isinstance(raw, Mapping) else None
    if isinstance(raw, Mapping):
        raw = {key: value for key, value in raw.items() if key != SWEEP}
    config, notes = validate(raw, source)
    return SourcedConfig(config, source, directory, tuple(notes), raw, sweep)

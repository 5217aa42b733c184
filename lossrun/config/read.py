"""Read a file or a mapping into a validated config."""

import sys
from codecs import BOM_UTF8
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
class Draft:
    """A config that has been read, and not been validated yet.

    Attributes:
        source: Where its values stand.
        directory: The folder that its paths start from.
        raw: What was read, without the sweep block; a mapping, if it is a config.
        sweep: The sweep block, None without one; `sweeping/` reads it.
    """

    source: ConfigSource
    directory: Path
    raw: Any
    sweep: Any = None

    def validated(self) -> "SourcedConfig":
        """Return the config.

        Raises:
            ConfigError: With every mistake in it; the sweep block is not looked at.
        """
        config, notes = validate(self.raw, self.source)
        return SourcedConfig(self.source, self.directory, self.raw, self.sweep, config=config, notes=tuple(notes))


@dataclass(frozen=True, slots=True, kw_only=True)
class SourcedConfig(Draft):
    """A valid config, with its draft and notes on spellings."""

    config: Config
    notes: tuple[str, ...] = ()

    def validated(self) -> "SourcedConfig":
        """Return the config itself."""
        return self


def read(path: Path, overrides: Sequence[Override] = ()) -> SourcedConfig:
    """Read a config file, or the packaged config of that name if there is no such file.

    Paths in a packaged config start from the current folder.

    Raises:
        ConfigError: With every mistake in the file.
    """
    return read_draft(path, overrides).validated()


def read_draft(path: Path, overrides: Sequence[Override] = ()) -> Draft:
    """Read a config like `read`, but do not validate it.

    Raises:
        ConfigError: If it is not a file with YAML.
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
    return _draft(raw, source, Path.cwd() if packaged else path.resolve().parent, overrides)


def draft_of_standard_input(overrides: Sequence[Override] = ()) -> Draft:
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
    return _draft(raw, source, Path.cwd(), overrides)


def from_mapping(
    raw: Mapping[str, Any], directory: Path, overrides: Sequence[Override] = (), name: str = "config"
) -> SourcedConfig:
    """Read a config from a mapping; messages call it `name`.

    Raises:
        ConfigError: With every mistake in it.
    """
    return draft_of_mapping(raw, directory, overrides, name).validated()


def draft_of_mapping(
    raw: Mapping[str, Any], directory: Path, overrides: Sequence[Override] = (), name: str = "config"
) -> Draft:
    """Take a mapping like `from_mapping`, but do not validate it."""
    return _draft(raw, ConfigSource(name), directory, overrides)


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


def _draft(raw: Any, source: ConfigSource, directory: Path, overrides: Sequence[Override]) -> Draft:
    raw, source = apply(raw, source, overrides)
    sweep = raw.get(SWEEP) if isinstance(raw, Mapping) else None
    if isinstance(raw, Mapping):
        raw = {key: value for key, value in raw.items() if key != SWEEP}
    return Draft(source, directory, raw, sweep)

"""Parse strict YAML into plain values, with the place of each.

Scalars are YAML 1.2 (`1e-3` is a number, `yes` a string, `010` is 10). Duplicate keys, aliases, and tags are refused.
Size, depth, and the number of nodes are checked on the parser's events, before anything is built.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import yaml

from lossrun.config.source import MAX_PROBLEMS, ConfigSource, Path, TextPosition, dotted
from lossrun.config.syntax import mistake
from lossrun.errors import ConfigError, Problem

MAX_BYTES: Final = 256 * 1024
MAX_DEPTH: Final = 32
MAX_NODES: Final = 50_000

LOADER: Final = getattr(yaml, "CLoader", yaml.Loader)
_Event: TypeAlias = Any

_UNPRINTABLE: Final = re.compile("[^\t\n\r -~\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_INTEGER: Final = re.compile(r"[-+]?[0-9]+")
_PLACE: Final = re.compile(r"-?[1-9][0-9]{0,8}|0")
_RADIX: Final = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SPECIAL: Final = {
    **dict.fromkeys(("null", "Null", "NULL", "~", ""), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}


def parse(text: str, name: str, *, plain: Callable[[str], Any] | None = None) -> tuple[Any, ConfigSource]:
    """Parse a text; also return the place of each part of the value.

    Args:
        name: What messages call the text.
        plain: Reads a scalar without quotes; by default as YAML 1.2.

    Raises:
        ConfigError: For anything but one strict YAML document.
    """
    # A lone surrogate may come from the command line; it is refused below, with its place.
    if len(text.encode(errors="surrogatepass")) > MAX_BYTES:
        text = f"larger than {MAX_BYTES // 1024} KiB; a config should fit on a page"
        raise ConfigError([ConfigSource(name).problem((), text)])
    builder = _Builder(ConfigSource(name, text.splitlines(), {}, {}, {}), plain or scalar)
    if bad := _UNPRINTABLE.search(text):
        reason = f"not YAML: the character U+{ord(bad[0]):04X}; only printable ones are allowed"
        raise ConfigError([builder.source.problem_at(_place(text, bad.start()), reason)])
    try:
        value = builder.document(_events(text))
    except yaml.MarkedYAMLError as error:
        # A parser reads ahead of the events that it returns, and may reach a limit of its own there before the builder
        # reaches ours. The text up to that place does not exceed the parser's limit, so the builder can check it.
        if error.problem_mark and error.problem_mark.index < len(text):
            with suppress(yaml.YAMLError):
                _Builder(ConfigSource(name, builder.source.lines), scalar).document(
                    _events(text[: error.problem_mark.index])
                )
        place, reason = mistake(error, text.splitlines())
        raise ConfigError([builder.source.problem_at(place, f"not YAML: {reason}")]) from None
    except yaml.YAMLError as error:
        raise ConfigError([builder.source.problem((), f"not YAML: {' '.join(str(error).split())}")]) from None
    if builder.problems:
        raise builder.source.error(builder.problems)
    return value, builder.source


def parse_value(text: str, name: str, *, plain: Callable[[str], Any] | None = None) -> Any:
    """Parse one value from the command line, by the same rules.

    Raises:
        ConfigError: With the option `name` in its message.
    """
    try:
        return parse(text, "", plain=plain)[0]
    except ConfigError as error:
        # Such a short text needs no place, line, or caret.
        raise ConfigError([f"{name}: {error.found[0].message}"]) from None


def parse_text(text: str, name: str, *, lists: bool, plain: Callable[[str], Any]) -> Any:
    """Read the value of a key that holds text from the command line: the text exactly as written.

    A text in quotes is read as YAML; so is a list if `lists` are allowed, with its items as written. `null`, `~`, and
    an empty text are None.

    Args:
        plain: Reads what is not in quotes: `str`, or `place_or_text` or `number_or_text` if numbers are allowed.

    Raises:
        ConfigError: For a text that a config cannot hold.
    """
    if text in ("", "null", "~"):
        return None
    if lists and text.startswith("["):
        try:
            return parse_value(text, name, plain=plain)
        except ConfigError:
            # Items such as ? and * have another meaning in YAML; where no item is in quotes, commas part them.
            items = [item.strip() for item in text[1:-1].split(",")]
            if text[-1] != "]" or not all(items) or any(sign in text[1:-1] for sign in "[]{}\"'"):
                raise
            return [plain(printable(item, name)) for item in items]
    if len(text) > 1 and text[0] in "\"'" and text[-1] == text[0]:
        with suppress(ConfigError):
            if isinstance(value := parse_value(text, name), str):
                return value
    return plain(printable(text, name))


def number_or_text(text: str) -> float | str:
    """Read a number by YAML 1.2, or any other text; `true` and `null` are text."""
    value = scalar(text)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else text


def place_or_text(text: str) -> int | str:
    """Read the place of a column, a plain integer, or its name, any other text."""
    return int(text) if _PLACE.fullmatch(text) else text


def printable(text: str, name: str) -> str:
    """Return the text.

    Raises:
        ConfigError: For a text that no config file could hold.
    """
    if bad := _UNPRINTABLE.search(text):
        raise ConfigError([f"{name}: the character U+{ord(bad[0]):04X}; only printable ones are allowed"])
    if len(text) > MAX_BYTES:
        raise ConfigError([f"{name[:60]}...: larger than {MAX_BYTES // 1024} KiB; a config should fit on a page"])
    return text


@dataclass
class _Builder:
    source: ConfigSource  # its mappings are filled by the builder
    plain_value: Callable[[str], Any]
    problems: list[Problem] = field(default_factory=list)
    nodes: int = 0

    def document(self, events: Iterator[_Event]) -> Any:
        value: Any = None
        documents = 0
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self.refuse(event, "a second document; a config has only one")
                    return value
                value = self.node(next(events), events, (), 0)
        return value

    def node(self, event: _Event, events: Iterator[_Event], path: Path, depth: int) -> Any:
        self.nodes += 1
        if self.nodes > MAX_NODES or depth > MAX_DEPTH:
            deep = f"nested deeper than {MAX_DEPTH} levels"
            what = f"more than {MAX_NODES} values" if self.nodes > MAX_NODES else deep
            raise self.source.error([self.source.problem_at(_mark(event), what)])
        self.plain(event)
        if isinstance(event, yaml.AliasEvent):
            return None
        self.values[path] = _mark(event)
        if isinstance(event, yaml.ScalarEvent):
            return self.plain_value(event.value) if event.implicit[0] else event.value
        if isinstance(event, yaml.SequenceStartEvent):
            return self.sequence(events, path, depth)
        return self.mapping(events, path, depth)

    def plain(self, event: _Event) -> None:
        """Refuse what makes a node more than a value: an alias, an anchor, or a tag."""
        if isinstance(event, yaml.AliasEvent):
            self.refuse(event, "an alias (*); write the value out")
        elif event.anchor is not None:
            self.refuse(event, "an anchor (&); write the value out where it is needed")
        elif event.tag is not None:
            self.refuse(event, f"a tag ({event.tag}); plain values only; quote text that begins with !")
        elif isinstance(event, yaml.ScalarEvent) and _SURROGATE.search(event.value):
            # Only PyYAML's own parser accepts such an escape.
            self.refuse(
                event, "an escape from \\uD800 to \\uDFFF, which is half a character; write the character itself"
            )

    def sequence(self, events: Iterator[_Event], path: Path, depth: int) -> list[Any]:
        items: list[Any] = []
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            items.append(self.node(event, events, (*path, len(items)), depth + 1))
        return items

    def mapping(self, events: Iterator[_Event], path: Path, depth: int) -> dict[str, Any]:
        items: dict[str, Any] = {}
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                if not isinstance(event, yaml.AliasEvent):
                    self.refuse(event, "a key that is a list or a mapping; expected a word")
                self.node(event, events, (*path, "?"), depth + 1)
                self.node(next(events), events, (*path, "?"), depth + 1)
                continue
            self.plain(event)
            key = str(event.value)
            if not key and event.implicit[0]:
                # YAML begins a key with a question mark, and this one has nothing behind it.
                self.refuse(event, 'a key without a name; quote a question mark that is text: "?"')
            if key in items:
                self.refuse(event, f"{dotted((key,))}: this key is already in this mapping; keep one of them")
            self.keys[(*path, key)] = _mark(event)
            items[key] = self.node(next(events), events, (*path, key), depth + 1)
        return items

    @property
    def keys(self) -> dict[Path, TextPosition]:
        return self.source.keys  # type: ignore[return-value]  # the builder created it as a dict

    @property
    def values(self) -> dict[Path, TextPosition]:
        return self.source.values  # type: ignore[return-value]

    def refuse(self, event: _Event, message: str) -> None:
        self.problems.append(self.source.problem_at(_mark(event), message))
        if len(self.problems) >= MAX_PROBLEMS:
            raise self.source.error(self.problems)


def _events(text: str) -> Iterator[_Event]:
    """Yield the parser's events one by one, so that the rest is not parsed once something is refused."""
    try:
        yield from yaml.parse(text, Loader=LOADER)
    except (ValueError, OverflowError) as error:
        # PyYAML's own parser does not check \UFFFFFFFF before turning it into a character.
        raise yaml.YAMLError(f"an escape or a number that cannot be read ({error})") from error


def _mark(event: _Event) -> TextPosition:
    return TextPosition(event.start_mark.line, event.start_mark.column)


def scalar(text: str) -> Any:
    """Read a plain scalar by the YAML 1.2 core schema. A float may lack its point (`1e-3`), unlike in YAML 1.1."""
    if text in _SPECIAL:
        return _SPECIAL[text]
    if _INTEGER.fullmatch(text):
        # int() raises ValueError for more than 4,300 digits; no useful integer has more than 20.
        return int(text) if len(text) <= 20 else float(text)
    if _RADIX.fullmatch(text):
        return int(text, 0) if len(text) <= 20 else text
    if _FLOAT.fullmatch(text):
        return float(text)
    return text


def _place(text: str, index: int) -> TextPosition:
    """Return the place of the character at `index`, in lines as `str.splitlines` counts them."""
    before = text[:index].splitlines(keepends=True)
    if not before or before[-1].splitlines()[0] != before[-1]:
        return TextPosition(len(before), 0)
    return TextPosition(len(before) - 1, len(before[-1]))

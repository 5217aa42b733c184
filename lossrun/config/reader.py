"""Strict YAML: text -> plain values, with the origin of each.

YAML 1.2 scalars (`1e-3` is a number, `yes` a string, `010` is 10); duplicate keys, aliases and tags are refused; size,
depth and node count are checked on the parser's events, before anything is built from them.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import yaml

from lossrun.config.source import MAX_PROBLEMS, ConfigSource, Path, Problem, TextPosition, dotted
from lossrun.config.syntax import mistake
from lossrun.errors import ConfigError

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
    """The value that `text` holds, and where each part of it stands.

    `name` is what messages call the text. `plain` makes a value of a scalar without quotes, left out: as YAML 1.2 has
    it. Raises ConfigError for anything that is not one strict YAML document.
    """
    # A lone surrogate can come from the command line; it is refused below, with its place.
    if len(text.encode(errors="surrogatepass")) > MAX_BYTES:
        raise ConfigError([f"{name}: larger than {MAX_BYTES // 1024} KiB; a config should fit on a page"])
    builder = _Builder(ConfigSource(name, text.splitlines(), {}, {}, {}), plain or scalar)
    if bad := _UNPRINTABLE.search(text):
        reason = f"not YAML: the character U+{ord(bad[0]):04X}; only printable ones are allowed"
        raise ConfigError([builder.source.problem_at(_place(text, bad.start()), reason).text])
    try:
        value = builder.document(_events(text))
    except yaml.MarkedYAMLError as error:
        # A parser looks ahead of the events it gives, and may meet a limit of its own there before the builder meets
        # ours. The text up to that place does not go past the parser's limit, so the builder has its say about it.
        if error.problem_mark and error.problem_mark.index < len(text):
            with suppress(yaml.YAMLError):
                _Builder(ConfigSource(name, builder.source.lines), scalar).document(
                    _events(text[: error.problem_mark.index])
                )
        place, reason = mistake(error, text.splitlines())
        raise ConfigError([builder.source.problem_at(place, f"not YAML: {reason}").text]) from None
    except yaml.YAMLError as error:
        raise ConfigError([f"{name}: not YAML: {' '.join(str(error).split())}"]) from None
    if builder.problems:
        raise builder.source.error(builder.problems)
    return value, builder.source


def parse_value(text: str, name: str, *, plain: Callable[[str], Any] | None = None) -> Any:
    """One value from the command line, read by the same rules. Raises ConfigError, naming the option `name`."""
    try:
        return parse(text, "", plain=plain)[0]
    except ConfigError as error:
        # The place in so short a text is left out, and with it the line and the caret.
        first = error.problems[0].splitlines()[0]
        raise ConfigError([f"{name}: {first.partition(': ')[2]}"]) from None


def parse_text(text: str, name: str, *, lists: bool = False, plain: Callable[[str], Any] = str) -> Any:
    """The value of a key that holds text, from the command line: the text as it is written, byte for byte.

    What stands in quotes as a whole is read as YAML; so is a list, where `lists` are allowed, its items as they are
    written. `plain` makes a value of what is not in quotes: `str`, or `place_or_text` and `number_or_text` where
    numbers may be meant. `null`, `~` and nothing at all are None, which restores the default. Raises ConfigError.
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
    """The number that is written there by YAML 1.2, and any other text: `true` and `null` are words."""
    value = scalar(text)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else text


def place_or_text(text: str) -> int | str:
    """The place of a column, or its name: a whole number as one would write it, and any other text."""
    return int(text) if _PLACE.fullmatch(text) else text


def printable(text: str, name: str) -> str:
    """The text itself. Raises ConfigError for one that no config file could hold."""
    if bad := _UNPRINTABLE.search(text):
        raise ConfigError([f"{name}: the character U+{ord(bad[0]):04X}; only printable ones are allowed"])
    if len(text) > MAX_BYTES:
        raise ConfigError([f"{name[:60]}...: larger than {MAX_BYTES // 1024} KiB; a config should fit on a page"])
    return text


@dataclass
class _Builder:
    source: ConfigSource  # with mappings of its own, which the builder fills
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
                    self.refuse(event, "a second document; a config is one")
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
        """Refuse what makes a node more than a value: an alias, an anchor, a tag."""
        if isinstance(event, yaml.AliasEvent):
            self.refuse(event, "an alias (*); write the value out")
        elif event.anchor is not None:
            self.refuse(event, "an anchor (&); write the value out where it is needed")
        elif event.tag is not None:
            self.refuse(event, f"a tag ({event.tag}); plain values only; quote text that begins with !")
        elif isinstance(event, yaml.ScalarEvent) and _SURROGATE.search(event.value):
            # libyaml refuses such an escape itself.
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
                self.refuse(event, f"{dotted((key,))}: written twice in one mapping; keep one")
            self.keys[(*path, key)] = _mark(event)
            items[key] = self.node(next(events), events, (*path, key), depth + 1)
        return items

    @property
    def keys(self) -> dict[Path, TextPosition]:
        return self.source.keys  # type: ignore[return-value]  # the builder made it, as a dict

    @property
    def values(self) -> dict[Path, TextPosition]:
        return self.source.values  # type: ignore[return-value]

    def refuse(self, event: _Event, message: str) -> None:
        self.problems.append(self.source.problem_at(_mark(event), message))
        if len(self.problems) >= MAX_PROBLEMS:
            raise self.source.error(self.problems)


def _events(text: str) -> Iterator[_Event]:
    """The parser's events, one by one: what is refused is refused before the rest is parsed."""
    try:
        yield from yaml.parse(text, Loader=LOADER)
    except (ValueError, OverflowError) as error:
        # PyYAML's parser in Python turns \UFFFFFFFF into a character without a check.
        raise yaml.YAMLError(f"an escape or a number that cannot be read ({error})") from error


def _mark(event: _Event) -> TextPosition:
    return TextPosition(event.start_mark.line, event.start_mark.column)


def scalar(text: str) -> Any:
    """A plain scalar by the YAML 1.2 core schema. A float may lack its point (`1e-3`), unlike in YAML 1.1."""
    if text in _SPECIAL:
        return _SPECIAL[text]
    if _INTEGER.fullmatch(text):
        # int() refuses more than 4,300 digits with a ValueError; nothing of use has more than 20.
        return int(text) if len(text) <= 20 else float(text)
    if _RADIX.fullmatch(text):
        return int(text, 0) if len(text) <= 20 else text
    if _FLOAT.fullmatch(text):
        return float(text)
    return text


def _place(text: str, index: int) -> TextPosition:
    """Where the character at `index` stands, in lines as `str.splitlines` counts them."""
    before = text[:index].splitlines(keepends=True)
    if not before or before[-1].splitlines()[0] != before[-1]:
        return TextPosition(len(before), 0)
    return TextPosition(len(before) - 1, len(before[-1]))

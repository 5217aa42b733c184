"""The ways to declare a key of a config: a plain value with bounds and a unit, a component, or a group of keys."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import UnionType
from typing import Any, Final, Literal, TypeAlias, Union, get_args, get_origin


class Required:
    """The default of a parameter that has no default."""

    def __repr__(self) -> str:
        return "required"


REQUIRED: Final = Required()


@dataclass(frozen=True, slots=True)
class Parameter:
    """A leaf of the config tree: one value of a plain type.

    Attributes:
        type: An ordinary annotation, such as `int`, `float | Literal["full"]` or `list[int]`.
        default: The default; None means "absent".
        above, at_least, below, at_most: Bounds for each number in the value.
        pattern: A regular expression for each string in the value.
        form: What a right value looks like, in words, if the type does not say it.
        endings: Endings, such as a unit, that people forget to write.
        spellings: What other frameworks call some of the values.
        refused: Why words that people may expect are not allowed, by the word in lower case.
        example: A value for the example in `lossrun explain`, if the default does not show how to write one.
    """

    name: str
    type: Any
    default: Any = field(hash=False)  # may be a list
    meaning: str
    unit: str = ""
    above: float | None = None
    at_least: float | None = None
    below: float | None = None
    at_most: float | None = None
    aliases: tuple[str, ...] = ()
    pattern: str = ""
    form: str = ""
    endings: tuple[str, ...] = ()
    spellings: dict[str, Any] = field(default_factory=dict, hash=False)
    refused: dict[str, str] = field(default_factory=dict, hash=False)
    example: Any = field(default=None, hash=False)  # may be a list

    @property
    def expected(self) -> str:
        """What a right value looks like, in words: 'a number above 0'."""
        return self.form or _describe(self.type, self)

    @property
    def expected_item(self) -> str:
        """What a right item looks like, if the value is a list."""
        lists = [option for option in _options(self.type) if get_origin(option) is list]
        return _describe(get_args(lists[0])[0], self) if lists and not self.form else self.expected

    @property
    def may_be_text(self) -> bool:
        """Whether any text is a right value or item, such as a name, a path or a column."""
        return str in self._leaves

    @property
    def takes_lists(self) -> bool:
        return any(get_origin(option) is list for option in _options(self.type))

    @property
    def numbers(self) -> Literal["none", "whole", "any"]:
        """Which numbers are right values too. If text is one as well, a whole number is the place of a column."""
        return "any" if float in self._leaves else "whole" if int in self._leaves else "none"

    @property
    def _leaves(self) -> set[Any]:
        """The types of a value, or of the items of a list."""
        return {
            leaf
            for option in _options(self.type)
            for leaf in (_options(get_args(option)[0]) if get_origin(option) is list else {option})
        }


@dataclass(frozen=True, slots=True)
class Nested:
    """A key whose value is another component: a word, or a mapping with a `name`.

    Attributes:
        many: Whether the value is a list of components.
        presets: Words that stand for a whole list.
    """

    name: str
    kind: str
    default: Any
    meaning: str
    many: bool = False
    presets: dict[str, list[Any]] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()

    @property
    def expected(self) -> str:
        if not self.many:
            return with_article(self.kind)
        presets = f", or one of {', '.join(self.presets)}" if self.presets else ""
        return f"a list of {self.kind}s{presets}"


Contradiction: TypeAlias = Callable[[Mapping[str, Any]], str]


def no_contradiction(parameters: Mapping[str, Any]) -> str:  # noqa: ARG001
    return ""


@dataclass(frozen=True, slots=True)
class KeyGroup:
    """A key whose value is a mapping with fixed keys.

    Attributes:
        short_for: The inner key that a plain value sets, if there is one.
        contradiction: Returns what is wrong with the values taken together, or "".
    """

    name: str
    parameters: tuple["Key", ...]
    default: Any
    meaning: str
    short_for: str | None = None
    aliases: tuple[str, ...] = ()
    contradiction: Contradiction = no_contradiction

    @property
    def expected(self) -> str:
        return f"a mapping with {', '.join(p.name for p in self.parameters)}"


Key: TypeAlias = Parameter | Nested | KeyGroup


def with_article(kind: str) -> str:
    """Write a word with its article: `an optimizer`, `a loss`."""
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


def _options(annotation: Any) -> set[Any]:
    """Return the types that a value may have, None aside."""
    options = get_args(annotation) if get_origin(annotation) in (UnionType, Union) else (annotation,)
    return {option for option in options if option is not type(None)}


def _describe(annotation: Any, bounds: Parameter) -> str:
    origin = get_origin(annotation)
    if origin is Literal:
        # A word of punctuation would be lost among the commas.
        words = ", ".join(word if str(word)[-1:].isalnum() else repr(word) for word in map(str, get_args(annotation)))
        return f"one of {words}" if len(get_args(annotation)) > 1 else words
    if origin in (UnionType, Union):
        options = [_describe(a, bounds) for a in get_args(annotation) if a is not type(None)]
        return (", or " if _bounds(bounds) else " or ").join(options)
    if origin is list:
        return f"a list, each {_describe(get_args(annotation)[0], bounds)}"
    if annotation in (int, float):
        return ("an integer" if annotation is int else "a number") + _bounds(bounds)
    return {bool: "true or false", str: "a string"}.get(annotation, "a value")


def _bounds(p: Parameter) -> str:
    low = f"above {p.above:g}" if p.above is not None else f"at least {p.at_least:g}" if p.at_least is not None else ""
    high = f"below {p.below:g}" if p.below is not None else f"at most {p.at_most:g}" if p.at_most is not None else ""
    both = " and ".join(part for part in (low, high) if part)
    return f" of {both}" if both.startswith("at ") else f" {both}" if both else ""

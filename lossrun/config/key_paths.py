"""List every key that a config may have by its dotted path, for `lossrun explain KEY`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Final

from lossrun.catalog.lookup import COMPONENTS
from lossrun.catalog.parameter import Key, KeyGroup, Nested
from lossrun.config.habits import HABITS
from lossrun.config.keys import KEYS, SWEEP

_DEEPEST: Final = 3  # components within components, such as the noise of a dataset


@dataclass(frozen=True, slots=True)
class Variant:
    """One declaration of a key.

    Attributes:
        components: The names of the components with this declaration; () for a key of the config itself.
    """

    key: Key
    components: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class KeyPath:
    """A key of a config.

    Attributes:
        path: The dotted path, `early_stopping.patience`.
        kind: The kind of component that has it; "" for a key of the config itself.
        variants: Its declarations; components of one kind may have different ones.
        spellings: Its other paths, and what other programs call it.
    """

    path: str
    kind: str
    variants: tuple[Variant, ...]
    spellings: tuple[str, ...] = ()

    @property
    def meaning(self) -> str:
        """The meaning, in a few words."""
        meanings = {variant.key.meaning for variant in self.variants}
        return meanings.pop() if len(meanings) == 1 else f"depends on the {self.kind}"


@cache
def key_paths() -> dict[str, KeyPath]:
    """Return all keys by their paths, in the order of the config."""
    found: dict[str, KeyPath] = {}
    for key in _walk(KEYS, "", "", (), 0):
        known = found.get(key.path)
        found[key.path] = key if known is None else _joined(known, key)
    for habit, path in HABITS.items():
        if path in found:
            found[path] = replace(found[path], spellings=(*found[path].spellings, habit))
    return found


def file_keys() -> dict[str, KeyPath]:
    """Return all keys that a file may have: those of a config, and the sweep block."""
    return {**key_paths(), SWEEP.name: KeyPath(SWEEP.name, "", (Variant(SWEEP),))}


def _walk(keys: Sequence[Key], before: str, kind: str, components: tuple[str, ...], depth: int) -> Iterator[KeyPath]:
    for key in keys:
        path = before + key.name
        aliases = tuple(before + alias for alias in key.aliases)
        yield KeyPath(path, kind, (Variant(key, components),), aliases)
        if isinstance(key, KeyGroup):
            yield from _walk(key.parameters, f"{path}.", kind, components, depth)
        elif isinstance(key, Nested) and depth < _DEEPEST:
            for component in COMPONENTS[key.kind]:
                yield from _walk(component.parameters, f"{path}.", key.kind, (component.name,), depth + 1)


def _joined(one: KeyPath, other: KeyPath) -> KeyPath:
    """Combine two keys with the same path; components with equal declarations are listed together."""
    variants = list(one.variants)
    for variant in other.variants:
        place = next((number for number, known in enumerate(variants) if known.key == variant.key), None)
        if place is None:
            variants.append(variant)
        else:
            both = dict.fromkeys((*variants[place].components, *variant.components))
            variants[place] = Variant(variant.key, tuple(both))
    return KeyPath(one.path, one.kind, tuple(variants), tuple(dict.fromkeys((*one.spellings, *other.spellings))))

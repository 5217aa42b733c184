"""Every key that a config may have, by its dotted path, from the declarations: what `lossrun explain KEY` tells."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Final

from lossrun.catalog.lookup import COMPONENTS
from lossrun.catalog.parameter import Key, KeyGroup, Nested
from lossrun.config.keys import HABITS, KEYS, SWEEP

_DEEPEST: Final = 3  # components within components: dataset, noise


@dataclass(frozen=True, slots=True)
class Variant:
    """One declaration of a key. `components`: names of those that have it so; none for a key of the config itself."""

    key: Key
    components: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class KeyPath:
    """`path`: dotted, `early_stopping.patience`. `kind`: whose parameter it is, "" for a key of the config itself.
    `variants`: its declarations, which components of one kind may differ in. `spellings`: its other paths, and what
    people from elsewhere call it."""

    path: str
    kind: str
    variants: tuple[Variant, ...]
    spellings: tuple[str, ...] = ()

    @property
    def meaning(self) -> str:
        """What the key is for, where its declarations agree on it."""
        meanings = {variant.key.meaning for variant in self.variants}
        return meanings.pop() if len(meanings) == 1 else f"depends on the {self.kind}"


@cache
def key_paths() -> dict[str, KeyPath]:
    """All keys by their paths, in the order of the config."""
    found: dict[str, KeyPath] = {}
    for key in _walk(KEYS, "", "", (), 0):
        known = found.get(key.path)
        found[key.path] = key if known is None else _joined(known, key)
    for habit, path in HABITS.items():
        if path in found:
            found[path] = replace(found[path], spellings=(*found[path].spellings, habit))
    return found


def file_keys() -> dict[str, KeyPath]:
    """The same and the sweep block: all keys that a file may have."""
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
    """Two of the same path: components that declare it alike are named together."""
    variants = list(one.variants)
    for variant in other.variants:
        alike = next((place for place, known in enumerate(variants) if known.key == variant.key), None)
        if alike is None:
            variants.append(variant)
        else:
            both = dict.fromkeys((*variants[alike].components, *variant.components))
            variants[alike] = Variant(variant.key, tuple(both))
    return KeyPath(one.path, one.kind, tuple(variants), tuple(dict.fromkeys((*one.spellings, *other.spellings))))

"""Digests by which a reader tells whether a file still says what was written into it.

Line ends do not count: an editor, or git on Windows, may have turned LF into CR LF, which changes no meaning.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from lossrun.errors import RunError

DIGITS: Final = 16  # hexadecimal: 64 bits tell damage from what was written, and people can compare them
DAMAGED: Final = "the file was changed or damaged after it was written; restore it from a copy"


@dataclass(frozen=True, slots=True)
class PrefixDigest:
    """What a file's first `length` bytes (line ends as LF) must have as their `digest`."""

    length: int
    digest: str

    @classmethod
    def found_in(cls, facts: Any) -> "PrefixDigest | None":
        """The mark that `facts()` made. None where there is no mark, as in runs of older versions."""
        if not isinstance(facts, dict):
            return None
        length, digest = facts.get("length"), facts.get("digest")
        if not isinstance(length, int) or length < 0 or not isinstance(digest, str):
            return None
        return cls(length, digest)

    def facts(self) -> dict[str, Any]:
        return {"length": self.length, "digest": self.digest}


class Beginning:
    """The digest of a file that grows: `add` what is appended. BLAKE2b, because histories can take hundreds of MB."""

    def __init__(self) -> None:
        self.length = 0
        self._hash = hashlib.blake2b(digest_size=DIGITS // 2)

    def add(self, data: bytes | memoryview) -> None:
        self._hash.update(data)
        self.length += len(data)

    def digest(self) -> str:
        return self._hash.hexdigest()

    def digest_with(self, more: bytes) -> str:
        """The digest as if `more` had been added."""
        longer = self._hash.copy()
        longer.update(more)
        return longer.hexdigest()

    def mark(self) -> PrefixDigest:
        return PrefixDigest(self.length, self.digest())


class Marked:
    """Takes a file's content piece by piece, and finds the digest at each of some lengths."""

    def __init__(self, marks: Iterable[PrefixDigest]) -> None:
        self._waiting = sorted({mark.length for mark in marks}, reverse=True)
        self._beginning = Beginning()
        self._found: dict[int, str] = {}
        self.goes_on = False  # beyond the greatest of the lengths
        self._reached()

    def add(self, data: bytes) -> None:
        """`data` with LF line ends."""
        rest = memoryview(data)
        while self._waiting:
            part = rest[: self._waiting[-1] - self._beginning.length]
            self._beginning.add(part)
            rest = rest[len(part) :]
            self._reached()
            if not rest:
                return
        self.goes_on |= bool(rest)

    def agrees_with(self, mark: PrefixDigest) -> bool | None:
        """Whether the content has that mark; None where it is shorter."""
        found = self._found.get(mark.length)
        return None if found is None else found == mark.digest

    def _reached(self) -> None:
        while self._waiting and self._waiting[-1] == self._beginning.length:
            self._found[self._waiting.pop()] = self._beginning.digest()


def of_bytes(data: bytes) -> str:
    """The beginning of the SHA-256, as file names have it."""
    return hashlib.sha256(data).hexdigest()[:DIGITS]


def of_text(data: bytes) -> str:
    """The same for a text file."""
    return of_bytes(with_unix_lines(data))


def with_unix_lines(data: bytes) -> bytes:
    """The lines of JSON or YAML that we wrote with LF line ends: inside a string a CR would be escaped."""
    return data.replace(b"\r\n", b"\n") if b"\r" in data else data


def checked(what: str, data: bytes, expected: str) -> bytes:
    """`data`, if it has the expected digest. Raises RunError, naming `what`."""
    if (found := of_bytes(data)) != expected:
        raise RunError(f"{what}: its content has the digest {found}, but {expected} was recorded; {DAMAGED}")
    return data

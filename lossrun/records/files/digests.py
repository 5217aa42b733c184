"""Compute digests that tell whether a file still has the content that was written.

Line ends do not count: an editor, or git on Windows, may have changed LF to CR LF, which changes no meaning.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from lossrun.errors import RunError

DIGITS: Final = 16  # hexadecimal: 64 bits are enough to detect damage, and few enough to compare by eye
DAMAGED: Final = "the file was changed or damaged after it was written; restore it from a copy"


@dataclass(frozen=True, slots=True)
class PrefixDigest:
    """The `digest` that a file's first `length` bytes must have, with LF line ends."""

    length: int
    digest: str

    @classmethod
    def found_in(cls, facts: Any) -> "PrefixDigest | None":
        """Return the mark from what `facts()` returned; None if there is none, as in older versions."""
        if not isinstance(facts, dict):
            return None
        length, digest = facts.get("length"), facts.get("digest")
        if not isinstance(length, int) or length < 0 or not isinstance(digest, str):
            return None
        return cls(length, digest)

    def facts(self) -> dict[str, Any]:
        """Return the mark as plain values."""
        return {"length": self.length, "digest": self.digest}


class GrowingDigest:
    """The digest of a file that grows: `add` what is appended.

    It uses BLAKE2b, because histories can have hundreds of MB.
    """

    def __init__(self) -> None:
        self.length = 0
        self._hash = hashlib.blake2b(digest_size=DIGITS // 2)

    def add(self, data: bytes | memoryview) -> None:
        """Add what was appended."""
        self._hash.update(data)
        self.length += len(data)

    def digest(self) -> str:
        """Return the digest so far."""
        return self._hash.hexdigest()

    def digest_with(self, more: bytes) -> str:
        """Return the digest as if `more` had been added."""
        longer = self._hash.copy()
        longer.update(more)
        return longer.hexdigest()

    def mark(self) -> PrefixDigest:
        """Return length and digest so far."""
        return PrefixDigest(self.length, self.digest())


class DigestsAt:
    """Computes the digest at each of several lengths, from content that is added in pieces.

    Attributes:
        goes_on: Whether there is more content after the greatest length.
    """

    def __init__(self, marks: Iterable[PrefixDigest]) -> None:
        self._waiting = sorted({mark.length for mark in marks}, reverse=True)
        self._beginning = GrowingDigest()
        self._found: dict[int, str] = {}
        self.goes_on = False
        self._reached()

    def add(self, data: bytes) -> None:
        """Add a piece of the content, with LF line ends."""
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
        """Return whether the content matches the mark; None if it is shorter."""
        found = self._found.get(mark.length)
        return None if found is None else found == mark.digest

    def _reached(self) -> None:
        while self._waiting and self._waiting[-1] == self._beginning.length:
            self._found[self._waiting.pop()] = self._beginning.digest()


def of_bytes(data: bytes) -> str:
    """Return the first digits of the SHA-256, as in file names."""
    return hashlib.sha256(data).hexdigest()[:DIGITS]


def of_text(data: bytes) -> str:
    """Return the first digits of the SHA-256 of a text file with LF line ends."""
    return of_bytes(with_unix_lines(data))


def with_unix_lines(data: bytes) -> bytes:
    """Change line ends to LF; JSON and YAML written by lossrun have no CR within a string."""
    return data.replace(b"\r\n", b"\n") if b"\r" in data else data


def unix_pieces(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Change line ends to LF in a file that is read in pieces."""
    held = b""  # a CR, which an LF may follow in the next piece
    for piece in pieces:
        piece = held + piece
        held = b"\r" if piece.endswith(b"\r") else b""
        yield with_unix_lines(piece.removesuffix(held))
    yield held


def checked(what: str, data: bytes, expected: str) -> bytes:
    """Return `data` if it has the expected digest.

    Raises:
        RunError: If it has another digest; the message names `what`.
    """
    if (found := of_bytes(data)) != expected:
        raise RunError(f"{what}: its content has the digest {found}, but {expected} was recorded; {DAMAGED}")
    return data

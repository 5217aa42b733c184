"""Write the files of a run or a sweep that somebody else made: any content, with every digest in order.

A digest reveals damage, but not who wrote a file, so all that is in a file may be chosen to do harm.
"""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lossrun.records.files.digests import GrowingDigest, of_bytes

TOKEN = "@@raw@@"  # stands for JSON text that `json` would not write
Place = tuple[str | int, ...]


def run_called(folder: Path, name: str) -> Path:
    (path,) = (folder / "runs").glob(f"*-{name}")
    return path


def replaced(content: Any, place: Place, raw: str) -> str:
    """Return the JSON text of `content` with the text `raw` at a place in it."""
    copy = json.loads(json.dumps(content))
    found = copy
    for key in place[:-1]:
        found = found[key]
    found[place[-1]] = TOKEN
    return json.dumps(copy).replace(f'"{TOKEN}"', raw)


def sealed(texts: list[str]) -> bytes:
    """Return the lines of a ledger, each given as JSON text, with the digests that they must have."""
    content, found = GrowingDigest(), b""
    for text in texts:
        body = text.encode("utf-8", "surrogatepass").removesuffix(b"}")
        body = re.sub(rb', "digest": "[0-9a-f]{16}"$', b"", body)
        line = body + b', "digest": "%s"}\n' % content.digest_with(body).encode()
        content.add(line)
        found += line
    return found


def mark_of(content: bytes) -> dict[str, Any]:
    beginning = GrowingDigest()
    beginning.add(content)
    return beginning.mark().facts()


def events_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def in_ledger(place: Place, raw: str) -> Callable[[Path], None]:
    """Return what puts JSON text at a place in the ledger of a run or sweep: number of its line, then keys."""

    def write(run: Path) -> None:
        events = events_of(run / "ledger.jsonl")
        number = place[0] if isinstance(place[0], int) else 0
        texts = [json.dumps(event) for event in events]
        texts[number] = replaced(events[number], place[1:], raw)
        (run / "ledger.jsonl").write_bytes(sealed(texts))

    return write


def in_history(number: int, place: Place, raw: str) -> Callable[[Path], None]:
    """Return what puts JSON text at a place in a line of the history."""
    return _in_line("history.jsonl", number, place, raw, with_history)


def _in_line(
    file: str, number: int, place: Place, raw: str, put: Callable[[Path, bytes], None]
) -> Callable[[Path], None]:
    """Return what changes a line of a file; `put` writes it, and its digest into the ledger."""

    def write(folder: Path) -> None:
        rows = events_of(folder / file)
        texts = [json.dumps(row) for row in rows]
        texts[number] = replaced(rows[number], place, raw)
        put(folder, "".join(f"{text}\n" for text in texts).encode())

    return write


def with_history(run: Path, content: bytes) -> None:
    """Write a history, and its digest into the ledger."""
    (run / "history.jsonl").write_bytes(content)
    with_facts(run, {"history": mark_of(content)})


def in_environment(place: Place, raw: str) -> Callable[[Path], None]:
    """Return what puts JSON text at a place in run.json, and in the ledger's copy of it."""

    def write(run: Path) -> None:
        content = json.loads((run / "run.json").read_bytes())
        text = replaced(content, place, raw)
        (run / "run.json").write_text(text)
        in_ledger((0, "environment"), text)(run)

    return write


def in_preparation(place: Place, raw: str) -> Callable[[Path], None]:
    """Return what puts JSON text at a place in preparation.json, with its digest in the ledger."""

    def write(run: Path) -> None:
        content = json.loads((run / "preparation.json").read_bytes())
        with_preparation(run, (replaced(content, place, raw) if place else raw).encode("utf-8", "surrogatepass"))

    return write


def without_preparation(place: Place) -> Callable[[Path], None]:
    """Return what drops a key of preparation.json."""

    def write(run: Path) -> None:
        content = json.loads((run / "preparation.json").read_bytes())
        found = content
        for key in place[:-1]:
            found = found[key]
        del found[place[-1]]
        with_preparation(run, json.dumps(content).encode())

    return write


def with_preparation(run: Path, content: bytes) -> None:
    (run / "preparation.json").write_bytes(content)
    with_facts(run, {"preparation": of_bytes(content)})


def with_predictions(content: bytes) -> Callable[[Path], None]:
    """Return what writes predictions.npz, with its digest in the ledger."""

    def write(run: Path) -> None:
        (run / "predictions.npz").write_bytes(content)
        with_facts(run, {"predictions": of_bytes(content)})

    return write


def with_config(change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    """Return what changes config.yaml, with its digest in the ledger."""

    def write(run: Path) -> None:
        content = change((run / "config.yaml").read_bytes())
        (run / "config.yaml").write_bytes(content)
        with_facts(run, {"config_digest": of_bytes(content)})

    return write


def with_facts(run: Path, facts: Mapping[str, Any]) -> None:
    """Change facts wherever the ledger has them."""
    events = events_of(run / "ledger.jsonl")
    for event in events:
        event.update({name: value for name, value in facts.items() if name in event})
    (run / "ledger.jsonl").write_bytes(sealed([json.dumps(event) for event in events]))


def with_best(content: bytes) -> Callable[[Path], None]:
    """Return what writes the best weights, with the digest in their name and the name in the ledger."""

    def write(run: Path) -> None:
        for path in (run / "checkpoints").glob("best-*"):
            path.unlink()
        name = f"best-{of_bytes(content)}.safetensors"
        (run / "checkpoints" / name).write_bytes(content)
        with_facts(run, {"best_weights": name})

    return write


def with_newest(content: bytes) -> Callable[[Path], None]:
    """Return what replaces all checkpoints by one, with the digest in its name."""

    def write(run: Path) -> None:
        newest = max((run / "checkpoints").glob("step-*"))
        for path in (run / "checkpoints").glob("step-*"):
            path.unlink()
        start = newest.name.rpartition("-")[0]
        (run / "checkpoints" / f"{start}-{of_bytes(content)}.safetensors").write_bytes(content)

    return write


def in_plan(number: int, place: Place, raw: str) -> Callable[[Path], None]:
    """Return what puts JSON text at a place in a line of a sweep's plan, with its digest in the ledger."""
    return _in_line("plan.jsonl", number, place, raw, with_plan)


def with_plan(sweep: Path, content: bytes) -> None:
    (sweep / "plan.jsonl").write_bytes(content)
    with_facts(sweep, {"plan_digest": of_bytes(content)})

"""Downloads from servers that send too little, something else, too much, too slowly, or nothing, and in bad times.

The next mirror is tried; without one it is exit 3 with all addresses and what to do by hand. It takes bounded time and
memory. Under a file's name there is never another file, and nothing is left next to it.
"""

import gzip
import shutil
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random
from typing import Any, NoReturn

import numpy as np

from lossrun.data.sources import download, images
from lossrun.data.sources.images import TEST, TRAIN
from tests.crash.forks import Done, Forks, Started, forks
from tests.crash.outcomes import Outcome, count_of, share_of
from tests.data.sources.test_images import idx, write_set

FETCH = ("fetch", "mnist", "--data-dir", "data")
KILLS, STOPS = 20, 12
SECONDS_TO_STOP = 5
SECONDS = 40  # that all four files may take from one bad server, on a busy machine
MEMORY = 200 * 2**20
UNDER_WAY = 16 << 20  # bytes that the system takes from a server before anybody reads them
# In the process under attack, so that an attack takes seconds.
LIMITS = {"SILENCE": 1.0, "LONGEST": 3.0, "MOST_BYTES": 2 << 20, "CONNECTING": 1.0}


class Server(ThreadingHTTPServer):
    """Serves a folder well at /good/, and badly at the names of the methods of `Handler`."""

    daemon_threads = True
    folder: Path
    asked = 0  # how often
    sent = 0

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that went away."""


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked += 1
        way, _, name = self.path.strip("/").partition("/")
        content = (self.server.folder / name).read_bytes()
        with suppress(OSError):
            getattr(self, way)(content)

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def answer(self, content: bytes, length: int | None = None, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, text in headers.items():
            self.send_header(name.replace("_", "-"), text)
        self.send_header("Content-Length", str(len(content) if length is None else length))
        self.end_headers()
        self.send(content)

    def send(self, content: bytes) -> None:
        self.server.sent += len(content)
        self.wfile.write(content)

    def good(self, content: bytes) -> None:
        self.answer(content)

    def slow(self, content: bytes) -> None:
        """Send it within half a second."""
        self.send_response(200)
        self.end_headers()
        for start in range(0, len(content), len(content) // 10 + 1):
            self.send(content[start : start + len(content) // 10 + 1])
            time.sleep(0.05)

    def short(self, content: bytes) -> None:
        self.answer(content[: len(content) // 2], length=len(content))

    def short_unsaid(self, content: bytes) -> None:
        self.answer(content[: len(content) // 2])

    def corrupt(self, content: bytes) -> None:
        self.answer(content[:10] + bytes([content[10] ^ 1]) + content[11:])

    def longer(self, content: bytes) -> None:
        self.answer(content + b"\0")

    def html(self, _: bytes) -> None:
        self.answer(b"<!DOCTYPE html><title>Sign in to the Wi-Fi</title>", Content_Type="text/html")

    def nothing(self, _: bytes) -> None:
        self.answer(b"")

    def gone(self, _: bytes) -> None:
        self.answer(b"gone", status=404)

    def broken(self, _: bytes) -> None:
        self.answer(b"\x1b[31mbroken", status=500)

    def endless(self, _: bytes) -> None:
        self.send_response(200)
        self.end_headers()
        while True:
            self.send(bytes(1 << 16))

    def endless_headers(self, _: bytes) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            self.send(b"X-More: " + b"x" * 60_000 + b"\r\n")

    def drip(self, content: bytes) -> None:
        self.send_response(200)
        self.end_headers()
        for byte in content:
            self.send(bytes([byte]))
            time.sleep(0.2)

    def drip_headers(self, _: bytes) -> None:
        for byte in b"HTTP/1.1 200 OK\r\nX-More: " + b"x" * 10_000:
            self.wfile.write(bytes([byte]))
            time.sleep(0.2)

    def silent(self, _: bytes) -> None:
        time.sleep(30)

    def hangs_up(self, _: bytes) -> None:
        self.connection.shutdown(socket.SHUT_RDWR)

    def to_http(self, _: bytes) -> None:
        self.answer(b"", status=302, Location=f"http://localhost:{self.server.server_port}/good/{Path(self.path).name}")

    def to_a_file(self, _: bytes) -> None:
        self.answer(b"", status=302, Location=f"file://{self.server.folder}/{Path(self.path).name}")

    def in_circles(self, _: bytes) -> None:
        self.answer(b"", status=302, Location=self.path)

    def gzip_bomb(self, _: bytes) -> None:
        self.answer(gzip.compress(bytes(10 << 20)) * 100, Content_Encoding="gzip")

    def claims_too_much(self, content: bytes) -> None:
        self.answer(content, length=10**15)


WELL = ("good", "slow")
BAD = tuple(
    name
    for name, member in vars(Handler).items()
    if callable(member) and name not in (*WELL, "do_GET", "log_message", "answer", "send") and name[0] != "_"
)


def use_mirrors(
    addresses: list[str], digests: list[str], offline: bool = False, limits: Mapping[str, float] = LIMITS
) -> None:
    """Have "mnist" come from these mirrors, within shorter limits; `offline`: opening a socket is an error."""
    images.IMAGE_SETS["mnist"] = replace(
        images.IMAGE_SETS["mnist"], mirrors=tuple(addresses), digests=tuple(digests), count=20, test_count=10
    )
    for name, limit in limits.items():
        setattr(download, name, limit)
    if offline:
        socket.socket = refuse  # type: ignore[misc,assignment]
        socket.getaddrinfo = refuse


def refuse(*_: Any, **__: Any) -> NoReturn:
    raise AssertionError("a socket was opened")


@contextmanager
def serving(folder: Path) -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as server:
        server.folder = folder
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


class Attempt:
    """Fetching into a new folder from mirrors that behave in some way."""

    def __init__(self, forked: Forks, server: Server, folder: Path, digests: Sequence[str]) -> None:
        self.forked, self.server, self.folder, self.digests = forked, server, folder, digests

    @property
    def found(self) -> list[str]:
        return sorted(path.name for path in (self.folder / "data").rglob("*") if path.is_file())

    def begin(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()

    def options(self, ways: Sequence[str], offline: bool = False) -> dict[str, Any]:
        addresses = [f"http://127.0.0.1:{self.server.server_port}/{way}/" for way in ways]
        given = {"addresses": addresses, "digests": list(self.digests), "offline": offline}
        return {"prepare": "tests.crash.downloads:use_mirrors", "environment": {"NO_PROXY": "*"}, **given}

    def fetch(self, *ways: str, offline: bool = False) -> Done:
        return self.forked.run(FETCH, self.folder, limit=SECONDS, **self.options(ways, offline))

    def well_ended(self, done: Done) -> str:
        """Return what is wrong with a fetch that ought to have succeeded."""
        if problem := done.problem(0):
            return problem
        if self.found != sorted((*TRAIN, *TEST)):
            return f"found {self.found}"
        files = {path.name: path.read_bytes() for path in (self.folder / "data" / "mnist").iterdir()}
        wrong = [name for name, content in files.items() if content != (self.server.folder / name).read_bytes()]
        return f"{wrong} are other files" if wrong else ""

    def well_refused(self, done: Done, *ways: str) -> str:
        """Return what is wrong with a fetch that no mirror served."""
        if problem := done.problem(3):
            return problem
        wanted = [*(f"/{way}/{TRAIN[0]}" for way in ways), *TRAIN, *TEST, "--data-dir", "LOSSRUN_DATA_DIR"]
        if missing := [text for text in wanted if text not in done.err]:
            return f"the message lacks {missing}: {done.err[:300]}"
        if "\x1b" in done.err:
            return "what the server sent was printed as it is"
        return f"{self.found} are left" if self.found else ""


def attack(folder: Path, share: float, seed: int) -> Iterator[Outcome]:
    digests = write_set(folder / "mirror")
    with forks("light") as forked, serving(folder / "mirror") as server:
        known = forked.run(("--version",), folder).memory
        attempt = Attempt(forked, server, folder / "tried", digests)
        for way in share_of(BAD, share, seed):
            attempt.begin()
            server.sent = 0
            done = attempt.fetch(way)
            problem = attempt.well_refused(done, way)
            if not problem and done.memory - known > MEMORY:
                problem = f"it took {(done.memory - known) / 2**20:.0f} MiB"
            if not problem and server.sent > LIMITS["MOST_BYTES"] + UNDER_WAY:
                problem = f"it read {server.sent:,} bytes"
            yield Outcome(f"{way}, no other mirror", problem)
            attempt.begin()
            yield Outcome(f"{way}, then a good mirror", attempt.well_ended(attempt.fetch(way, "good")))
        others: dict[str, Callable[[Attempt], str]] = {
            "two at once": two_at_once,
            "offline with all files": offline_with_files,
            "offline without": offline_without,
            "an IDX header that lies": lying_header,
            "a cache that cannot be written": unwritable,
        }
        for case in share_of(others, share, seed):
            attempt.begin()
            yield Outcome(case, others[case](attempt))
        draw = Random(seed)
        attempt.begin()
        for number in range(count_of(KILLS, share)):
            started = forked.start(FETCH, attempt.folder, **attempt.options(("slow",)))
            time.sleep(draw.uniform(0.05, 1.5))
            with suppress(ProcessLookupError):
                started.kill()
            started.done()
            half = [name for name in attempt.found if not name.startswith(".")]
            wrong = [name for name in half if not same(attempt, name)]
            yield Outcome(f"kill {number}", f"{wrong} are other files" if wrong else "")
        yield Outcome("after the kills", attempt.well_ended(attempt.fetch("good")))
        for number in range(count_of(STOPS, share)):
            attempt.begin()
            way = ("drip", "drip_headers", "silent", "slow")[number % 4]
            server.asked = 0
            started = forked.start(FETCH, attempt.folder, **attempt.options((way,)))
            give_up = time.monotonic() + SECONDS
            while not server.asked and time.monotonic() < give_up:
                time.sleep(0.01)
            time.sleep(draw.uniform(0, 0.5))
            yield Outcome(f"Ctrl-C {number}, {way}", stopped(attempt, started))


def stopped(attempt: Attempt, started: Started) -> str:
    """Interrupt a fetch as by Ctrl-C, and return what is wrong with how it ended."""
    asked = time.monotonic()
    started.kill(signal.SIGINT)
    done = started.done()
    if problem := done.problem(130):
        return problem
    if (seconds := time.monotonic() - asked) > SECONDS_TO_STOP:
        return f"it took {seconds:.1f} s"
    wrong = [name for name in attempt.found if name.startswith(".") or not same(attempt, name)]
    return f"{wrong} are left" if wrong else ""


def same(attempt: Attempt, name: str) -> bool:
    return (attempt.folder / "data" / "mnist" / name).read_bytes() == (attempt.server.folder / name).read_bytes()


def two_at_once(attempt: Attempt) -> str:
    started = [attempt.forked.start(FETCH, attempt.folder, **attempt.options(("slow",))) for _ in range(2)]
    ended = [one.done() for one in started]  # while one of them is under way, its partial file is there
    return "; ".join(filter(None, map(attempt.well_ended, ended)))


def offline_with_files(attempt: Attempt) -> str:
    shutil.copytree(attempt.server.folder, attempt.folder / "data" / "mnist")
    return attempt.well_ended(attempt.fetch("good", offline=True))


def offline_without(attempt: Attempt) -> str:
    done = attempt.forked.run(
        FETCH,
        attempt.folder,
        limit=SECONDS,
        **attempt.options(("good",)) | {"addresses": ["http://127.0.0.1:9/good/", "http://no-such-host.invalid/good/"]},
    )
    return attempt.well_refused(done, "good")


def lying_header(attempt: Attempt) -> str:
    """A plain file has no digest; its header promises more than 10^18 bytes."""
    shutil.copytree(attempt.server.folder, attempt.folder / "data" / "mnist")
    place = attempt.folder / "data" / "mnist" / TRAIN[0]
    place.unlink()
    place.with_suffix("").write_bytes(idx(np.zeros((1, 1, 1), np.uint8))[:4] + b"\xff" * 12 + bytes(100))
    (attempt.folder / "config.yaml").write_text("{dataset: mnist, model: linear, loss: cross_entropy, optimizer: sgd}")
    arguments = ("check", "config.yaml", "--data-dir", "data")
    return attempt.forked.run(arguments, attempt.folder, limit=SECONDS, **attempt.options(("good",))).problem(2, 3)


def unwritable(attempt: Attempt) -> str:
    (attempt.folder / "data").mkdir()
    (attempt.folder / "data" / "mnist").write_text("in the way")
    done = attempt.fetch("good")
    return done.problem(3)

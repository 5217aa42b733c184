"""The commands that write a file for the user: the old file or the new one is there, as a whole, and they run again."""

import re
import shutil
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

from lossrun.cli import app
from lossrun.errors import DataError, RunError
from tests.crash import downloads, surroundings
from tests.crash.disk import Attacked
from tests.crash.forks import Forks
from tests.data.sources.test_images import write_set

OLD = b"old"
EXPORT = ("export", "one", "-o", "exported", "--format", "safetensors", "--format", "csv", "--format", "tensorboard")
HIDDEN = re.compile(r"\..+\.[0-9a-f]{8}\.(tmp|part)")  # what SIGKILL may leave of something that was not complete


@dataclass(frozen=True, slots=True)
class Output:
    """A command and what it writes.

    Attributes:
        paths: The files and folders.
        replaces: Whether an older file is there and is replaced; otherwise the command refuses to do that.
    """

    arguments: tuple[str, ...]
    paths: tuple[str, ...]
    replaces: bool = False


OUTPUTS = (
    Output(("compare", "one", "other", "--html", "page.html"), ("page.html",), replaces=True),
    Output(("plot", "one", "-o", "curves.svg"), ("curves.svg",), replaces=True),
    Output(("find-lr", "config.yaml", "--steps", "1", "-o", "rates.png"), ("rates.png",), replaces=True),
    Output(("predict", "one", "--input", "new.csv", "-o", "predicted.csv"), ("predicted.csv",), replaces=True),
    Output(("predict", "one", "--input", "new.csv", "-o", "predicted.npz"), ("predicted.npz",), replaces=True),
    Output(("manual", "-o", "manual.html"), ("manual.html",), replaces=True),
    Output(("script", "config.yaml", "--as", "pytorch", "-o", "script.py"), ("script.py",)),
    Output(("new", "-o", "new.yaml"), ("new.yaml", ".lossrun.schema.json")),
    Output(EXPORT, ("exported",)),
    Output(("fetch", "mnist", "--data-dir", "data"), ("data",)),
)
# Every other command changes runs, and is attacked in `disk.py`, or writes nothing.
CHANGE_RUNS = {"train", "resume", "sweep", "gc", "rm"}
WRITE_NOTHING = {"ls", "show", "verify", "evaluate", "check", "list", "explain", "schema"}
assert {one.arguments[0] for one in OUTPUTS} | CHANGE_RUNS | WRITE_NOTHING == {
    command.name for command in app.registered_commands
}


def attacked(server: Forks, folder: Path, stack: ExitStack) -> dict[str, Callable[[], Attacked]]:
    """Return what prepares the attack on each command; `stack` ends what it needs."""

    @cache
    def trained() -> Path:
        return surroundings.trained(server, folder / "trained")

    @cache
    def options() -> dict[str, Any]:
        digests = write_set(folder / "mirror")
        port = stack.enter_context(downloads.serving(folder / "mirror")).server_port
        mirrors = {"addresses": [f"http://127.0.0.1:{port}/good/"], "digests": digests, "limits": {}}
        return {
            "environment": {"NO_PROXY": "*"},
            "before": {"tests.crash.inline_pool:install": {}, "tests.crash.downloads:use_mirrors": mirrors},
        }

    def begin(output: Output, place: Path) -> None:
        shutil.copytree(trained(), place)
        for path in output.paths if output.replaces else ():
            (place / path).write_bytes(OLD)

    def prepare(output: Output) -> Attacked:
        whole = folder / f"whole {output.paths[0]}"
        begin(output, whole)
        done = server.run(output.arguments, whole, **options())
        assert done.code == 0, done.err
        judge = Judge(server, output, content(whole, output.paths), options())
        # Data that cannot be put on the disk are missing, and how to get them in another way is what helps.
        code = DataError.exit_code if output.arguments[0] == "fetch" else RunError.exit_code
        return Attacked(output.arguments, partial(begin, output), judge.after, options(), judge.left, code)

    return {" ".join(output.arguments): partial(prepare, output) for output in OUTPUTS}


@dataclass(frozen=True, slots=True)
class Judge:
    """Judges what an attack has left of an output; `whole`: the content without one."""

    server: Forks
    output: Output
    whole: dict[str, bytes]
    options: dict[str, Any]

    def after(self, place: Path) -> str:
        """Every file is the old or the new one, and the command writes the new ones if it is given again."""
        found = {path: data for path, data in content(place, self.output.paths).items() if not HIDDEN.search(path)}
        if problem := self.half(found):
            return problem
        complete = found == self.whole and not self.output.replaces
        again = self.server.run(self.output.arguments, place, **self.options)
        if problem := again.problem(*((0, 2, 4) if complete else (0,))):
            return f"given again: {problem}"
        found = {path: data for path, data in content(place, self.output.paths).items() if not HIDDEN.search(path)}
        return "" if found == self.whole else f"given again, it writes other files: {sorted(found)}"

    def left(self, place: Path) -> str:
        """After an error, nothing is left of what was not complete."""
        hidden = [str(path.relative_to(place)) for path in place.rglob("*") if HIDDEN.fullmatch(path.name)]
        return f"left behind: {hidden}" if hidden else self.half(content(place, self.output.paths))

    def half(self, found: dict[str, bytes]) -> str:
        old = dict.fromkeys(self.output.paths, OLD) if self.output.replaces else {}
        wrong = [path for path, data in found.items() if data not in (old.get(path), self.whole.get(path))]
        missing = old.keys() - found.keys()
        return f"not whole: {wrong}; lost: {sorted(missing)}" if wrong or missing else ""


def content(place: Path, paths: Sequence[str]) -> dict[str, bytes]:
    """Return the content of all files there, and of an event file, which has the time in it, its length."""
    files = [file for path in paths for file in (place / path, *(place / path).rglob("*")) if file.is_file()]
    return {
        str(file.relative_to(place)).partition("tfevents")[0]: b"%d" % file.stat().st_size
        if "tfevents" in file.name
        else file.read_bytes()
        for file in files
    }

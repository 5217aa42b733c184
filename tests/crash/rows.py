"""The attacks: their names, what each of them tries, and how much of it belongs to the quick part."""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from tests.crash.outcomes import Outcome


@dataclass(frozen=True, slots=True)
class Row:
    """An attack: the function `attack` of the module that is named like it.

    Attributes:
        what: What is tried, and what must come of it.
        quick: The share of its cases in the quick part; 0 leaves it out.
    """

    name: str
    what: str
    quick: float

    def outcomes(self, folder: Path, share: float, seed: int) -> Iterator[Outcome]:
        """Try that share of the cases in a folder of its own, and yield what comes of each."""
        module = import_module(f"tests.crash.{self.name.replace('-', '_')}")
        found: Iterator[Outcome] = module.attack(folder, share, seed)
        return found


ROWS = (
    Row("stops", "stopped after every step of the reference run, with one seed and with three: the same bits", 0),
    Row("chains", "chains of 2 to 10 resumes, with changes on the way: the same bits", 0.01),
    Row("kills", "SIGKILL at random times until the run is done: the same bits, one interval lost at most", 0.005),
    Row("sweep-kills", "SIGKILL at random times until a sweep is done: the same plan, the same bits", 0),
    Row("signals", "signals at random moments of every command: it ends in order, nothing is lost", 0),
    Row(
        "phases",
        "a signal in each function of lossrun that a command enters: it ends in order, nothing is lost",
        0.001,
    ),
    Row("disk", "SIGKILL, a torn write, a full or failing disk at every file operation of every command", 0.003),
    Row("power", "power lost after every file operation of train and resume, by a strict model of POSIX", 0.01),
    Row("saved-state", "any one key of the saved state dropped or of another type: refused by its name", 0.05),
    Row(
        "newest-checkpoint",
        "the newest checkpoint damaged or another's: the one before is used, and that is said",
        0.05,
    ),
    Row("other-files", "a bit flipped or a digit changed in any other file: its readers say so, and ls goes on", 0.003),
    Row("forged", "a fact of another type, with digests in order: readers say so, and ls goes on", 0.003),
    Row(
        "special-files", "a folder, a pipe, a link in the place of any file: its readers say so, and ls goes on", 0.008
    ),
    Row("combinations", "every optimizer with every schedule, model and precision, resumed: the same bits", 0.002),
    Row("own-components", "the user's own components with state in hidden places: the same bits, or refused", 0.1),
    Row("races", "two resumes at once, many trains in a second, comparing meanwhile: the records are true", 0.015),
    Row("malicious", "files and names made to do harm: nothing in them runs, all are refused or harmless", 0.004),
    Row("hostile", "what could harm the reader of each file, with digests in order; odd names, words and links", 0),
    Row(
        "bad-configs", "configs and --set wrong in every way: exit 2 or 3, with the place, without torch or a run", 0.03
    ),
    Row("downloads", "servers that send too little, too much, too slowly or something else: the next, or exit 3", 0.06),
    Row("listing", "5,000 runs in ls, some damaged, some of the future: all listed", 0.01),
    Row("surroundings", "streams closed, full or unread, few letters, no colours: no traceback", 0.03),
)

"""A run read back from its directory, whatever state it is in."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lossrun.errors import RunError
from lossrun.records import config_file, history, json_lines, ledger, strict_json
from lossrun.records.history import History
from lossrun.records.run_directory import RunDirectory
from lossrun.records.status import Status, status
from lossrun.shell import command

# Without these there is nothing to be said of a run.
_KEYS: Final = {"dataset", "model", "loss", "optimizer", "learning_rate", "epochs", "best"}


@dataclass(frozen=True, slots=True)
class RecordedRun:
    """`config` is the effective one: config.yaml with the ledger's changes replayed. `environment` is run.json.
    `warnings`: what could not be read, in plain words."""

    path: Path
    name: str
    config: dict[str, Any]
    environment: dict[str, Any]
    history: History
    ledger: tuple[dict[str, Any], ...]
    status: Status
    warnings: tuple[str, ...]

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds asked for, in the config's order."""
        seed, seeds = self.config.get("seed", 0), self.config.get("seeds")
        if isinstance(seeds, int):
            return tuple(range(seed, seed + seeds))
        return tuple(seeds) if seeds else (seed,)

    @property
    def extended(self) -> bool:
        """Whether the run was finished and then sent on with another config: that was chosen after seeing results."""
        finished = False
        for event in self.ledger:
            if event["event"] == "finished":
                finished = True
            elif event["event"] == "resumed" and finished and event.get("changes"):
                return True
        return False

    @property
    def finished(self) -> dict[str, Any] | None:
        """The last `finished` event: best epochs and test yardsticks per seed. None before the end."""
        return next((event for event in reversed(self.ledger) if event["event"] == "finished"), None)


def load(path: Path) -> RecordedRun:
    """Read a run, taking no lock and writing nothing. Raises RunError where a file is missing or damaged."""
    files = RunDirectory(path)
    missing = [file.name for file in (files.config_path, files.run_json) if not file.is_file()]
    if missing:
        raise RunError(
            f"{path} is no run directory: it has no {' and no '.join(missing)}; "
            f"`{command('ls', runs_dir=path.parent)}` lists the runs"
        )
    config = config_file.read(files.config_path)
    try:
        environment = strict_json.loads(files.run_json.read_bytes())
    except (OSError, ValueError) as error:
        raise RunError(f"cannot read {files.run_json}: {error}; the file is damaged: restore a copy") from error
    if not isinstance(environment, dict) or not config.keys() >= _KEYS:
        raise RunError(
            f"{path} is no run of lossrun's, or its config.yaml or run.json is damaged: restore it from a copy"
        )
    rows = history.read(files.history_path)
    events, torn_ledger = json_lines.read(files.ledger_path)
    events = list(ledger.checked(files.ledger_path, events))
    warnings = [
        f"{file.name} ends in an incomplete line, which is left out"
        for file, torn in ((files.history_path, rows.torn), (files.ledger_path, torn_ledger))
        if torn
    ]
    return RecordedRun(
        path=path,
        name=path.resolve().name,
        config=ledger.effective_config(config, events),
        environment=environment,
        history=rows,
        ledger=tuple(events),
        status=status(path, events),
        warnings=tuple(warnings),
    )

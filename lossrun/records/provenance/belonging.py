"""Check that a checkpoint belongs to the run in whose folder it is.

It may have been copied there from another run, or the run's files may have changed since.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lossrun.records import ledger
from lossrun.records.files import config_file
from lossrun.records.files.contents import pieces_if_there
from lossrun.records.files.digests import DigestsAt, PrefixDigest, unix_pieces
from lossrun.records.files.edits import digest
from lossrun.records.recorded import RecordedRun
from lossrun.records.run_directory import RunDirectory


@dataclass(frozen=True, slots=True)
class Belonging:
    """What a checkpoint of a run must match.

    Attributes:
        run_id: The run's id; None for a run of an older version.
        configs: The digests of all configs that the run was trained with; None if unknown.
    """

    history_path: Path
    run_id: str | None
    configs: frozenset[str] | None

    @classmethod
    def to(cls, run: RecordedRun) -> "Belonging":
        """Return what a checkpoint of the run must match."""
        files = RunDirectory(run.path)
        return cls(files.history_path, run.environment.get("id"), _configs(files, run.ledger))

    def problem(self, checkpoint: Mapping[str, Any]) -> str:
        """Return why a checkpoint with this metadata cannot be used, or ""."""
        if checkpoint.get("run") != self.run_id:
            return f"saved by another run (its id is {checkpoint.get('run')}, this run's is {self.run_id})"
        config = checkpoint.get("config")
        if self.configs is not None and config is not None and config not in self.configs:
            return "saved with another config: config.yaml was edited, or the checkpoint was copied here"
        mark = PrefixDigest.found_in(checkpoint.get("history"))
        if mark is not None and mark.length:
            content = DigestsAt([mark])
            for piece in unix_pieces(pieces_if_there(self.history_path)):
                content.add(piece)
            if content.agrees_with(mark) is False:
                return "history.jsonl has changed since this checkpoint was saved"
        return ""


def _configs(files: RunDirectory, events: Sequence[Mapping[str, Any]]) -> frozenset[str] | None:
    found = {digest(event["config"]) for event in events if isinstance(event.get("config"), dict)}
    if ledger.recorded_config(events) is None:
        if any(event.get("changes") for event in events if "config" not in event):
            return None  # older versions did not record which config the changes led to
        found.add(digest(config_file.read(files.config_path)))
    return frozenset(found)

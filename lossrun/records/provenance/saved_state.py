"""Compare a run's config and data with the state that was saved, before anything is built.

A digest reveals damage, but not who wrote a file: a config in which all digests are right may ask for any number of
seeds, samples or weights.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from lossrun.catalog import DataFacts
from lossrun.config import Config
from lossrun.errors import CheckpointError, DataError, RunError
from lossrun.lint.size import layers
from lossrun.records import checkpoint_headers, ledger
from lossrun.records.checkpoint_headers import Header
from lossrun.records.files import strict_json
from lossrun.records.files.edits import differences
from lossrun.records.provenance.belonging import Belonging
from lossrun.records.recorded import RecordedRun
from lossrun.records.run_directory import RunDirectory

_LISTED: Final = 12  # seeds in a message


def check_config(run: RecordedRun, belonging: Belonging) -> Header | None:
    """Check that the run's config is the one that its checkpoints were saved with. Only their headers are read.

    Returns:
        The header of the newest checkpoint of the run; None if none can be read, which reading the checkpoints
        reports.

    Raises:
        CheckpointError: If all checkpoints that can be read were saved with another config, or with other seeds.
    """
    refused = []
    for path in checkpoint_headers.candidates(RunDirectory(run.path).checkpoints):
        try:
            header = checkpoint_headers.read_header(path)
        except CheckpointError:
            continue
        why = belonging.problem(header.metadata) or seeds_problem(header.metadata, run.seeds)
        if not why:
            return header
        refused.append(f"\n    {path.name}: {why}")
    if refused:
        raise CheckpointError(
            f"no checkpoint of {run.path} fits its config; restore the run from a copy, or train again:"
            f"{''.join(refused)}"
        )
    return None


def seeds_problem(checkpoint: Mapping[str, Any], seeds: Sequence[int]) -> str:
    """Return why a checkpoint with this metadata has not the state of these seeds; "" if it has."""
    if list(checkpoint["seeds"]) == list(seeds):
        return ""
    return f"it holds {_listed(checkpoint['seeds'])}, but the config asks for {_listed(seeds)}"


def check_as_planned(path: Path, planned: Mapping[str, Any]) -> None:
    """Check that the run of a cell, if it has begun, was begun with the config in the sweep's plan.

    Args:
        planned: The config, with every default, but not resolved.

    Raises:
        RunError: If it was not, with the keys.
    """
    begun = ledger.recorded_config(ledger.read(RunDirectory(path).ledger_path))
    as_written = strict_json.loads_plain(strict_json.dumps(dict(planned)))
    changed = differences(as_written, begun) if begun else {}
    # Once the data are known, words such as `auto` are replaced, and what was left open.
    if wrong := [key for key, (asked, _) in changed.items() if not (asked is None or isinstance(asked, str))]:
        raise RunError(
            f"{path} was not begun with the config in the sweep's plan: {', '.join(wrong)} differ"
            f"{'s' * (len(wrong) == 1)}; restore the sweep from a copy"
        )


def check_data(recorded: Mapping[str, str], found: Mapping[str, str]) -> None:
    """Check that the data are those that a run was trained on, by the hashes of their parts.

    Raises:
        DataError: If they are not, with the parts.
    """
    parts = dict.fromkeys((*recorded, *found))
    if changed := [part for part in parts if recorded.get(part) != found.get(part)]:
        raise DataError(
            f"the {' and '.join(changed)} data are not those that the run was started with: put them back, say "
            "where they are with --data-dir or --set dataset.path=, or start a new run"
        )


def check_weights(config: Config, facts: DataFacts, there: int, name: str) -> None:
    """Check that the config's model has no more weights than were saved.

    The number is unknown for the user's own model, which is compared once it is built.

    Args:
        there: How many numbers were saved for the model of one seed.
        name: The run's name, for the message.

    Raises:
        CheckpointError: If it has.
    """
    expected = sum(row.parameters for row in layers(config, facts))
    if there < expected:
        raise CheckpointError(
            f"the weights do not fit the model of {name}: it has {expected:,}, and only {there:,} were saved"
        )


def _listed(seeds: Sequence[int]) -> str:
    if len(seeds) > _LISTED:
        return f"{len(seeds):,} seeds"
    return f"seed{'s' * (len(seeds) != 1)} {', '.join(map(str, seeds))}"

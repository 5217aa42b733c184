"""Prove that a run matches its records."""

from typing import TYPE_CHECKING, Annotated

import typer

from lossrun.arguments import DataDir, RunName, RunsDir
from lossrun.commands.importing import torch_is_imported
from lossrun.commands.run_lookup import found_run
from lossrun.errors import RunError
from lossrun.output import write_data
from lossrun.shell import DEFAULT_RUNS

if TYPE_CHECKING:
    from lossrun.inference.verifying import Verification


def verify(
    run: RunName,
    all_: Annotated[
        bool, typer.Option("--all", help="Train the whole run again, not only the steps between its last checkpoints.")
    ] = False,
    json_: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    runs_dir: RunsDir = DEFAULT_RUNS,
    data_dir: DataDir = None,
) -> None:
    """Check that RUN matches its records: compare every digest, and train its last steps again, bit for bit.

    The files are compared with their digests, the history is checked for gaps, and the changes in the ledger are
    replayed. Then the steps between the last two checkpoints are trained again in a temporary folder, and every number
    is compared. The run itself does not change. The exit code is 4 if anything differs. If the run was trained on
    another machine or with other versions, the message names the difference.
    """
    from lossrun.report.layout.console import note, stderr, stdout
    from lossrun.report.verification import print_verification, verification_as_json

    with torch_is_imported():
        from lossrun.inference.verifying import verified

    found: Verification = verified(found_run(run, runs_dir), whole=all_, data_dir=data_dir)
    for text in found.remarks:
        note(stderr(), text)
    if json_:
        write_data(verification_as_json(found))
    else:
        print_verification(stdout(), found)
    if not found.passed:
        raise RunError(*(f"{found.run} does not match its records: {text}" for text in found.problems))

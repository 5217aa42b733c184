"""Prove that a run matches its records."""

from typing import Annotated

import typer

from lossrun.arguments import DataDir, RunName, RunsDir
from lossrun.commands.importing import torch_is_imported
from lossrun.commands.run_lookup import found_run
from lossrun.errors import DataError, RunError, UsageError
from lossrun.output import write_data
from lossrun.shell import DEFAULT_RUNS


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
    is compared. The run itself does not change. The exit code is 4 if anything differs, and 3 if the data are missing
    or have changed. If the run was trained on another machine or with other versions, the message names the difference.

    --json always prints one object with the same keys: `verdict` is verified, damaged (a file), differs (the training),
    differs elsewhere (in another environment) or not checked; `reason` and `first_difference` are null if it is
    verified; `environment` has what differs here as {fact: [recorded, here]}; `checks` has every check.
    """
    from lossrun.analysis.verification import Verification
    from lossrun.report.layout.console import note, stderr, stdout
    from lossrun.report.verification import print_verification, verification_as_json

    with torch_is_imported():
        from lossrun.inference.verifying import verified

    path = found_run(run, runs_dir)
    try:
        found = verified(path, whole=all_, data_dir=data_dir)
    except (RunError, DataError, UsageError) as error:
        if json_:
            write_data(verification_as_json(Verification.failed(path, error)))
        raise
    for text in found.remarks:
        note(stderr(), text)
    if json_:
        write_data(verification_as_json(found))
    else:
        print_verification(stdout(), found)
    if not found.passed:
        how = "cannot be confirmed here" if found.verdict == "differs elsewhere" else "does not match its records"
        raise RunError(*(f"{found.run} {how}: {text}" for text in found.problems))

"""Print `verify`: each check, and the verdict."""

from rich.console import Console

from lossrun.analysis.verification import Check, Verification
from lossrun.report.layout.for_programs import json_text
from lossrun.report.layout.text_table import Column, TextTable, print_line, print_table


def print_verification(console: Console, found: Verification) -> None:
    """Print a line for each check, what is wrong, and the verdict."""
    checks = found.checks
    table = TextTable(
        "",
        Column("checked", tuple(check.what for check in checks), right=False),
        (
            Column("result", tuple(map(_result, checks)), right=False),
            Column("compared", tuple(check.text for check in checks), right=False),
        ),
    )
    print_table(console, table)
    print_line(console, "")
    if found.passed:
        print_line(console, f"verified: {found.run} matches its records", style="bold")


def _result(check: Check) -> str:
    # Where another environment may explain the numbers, nobody knows that they are wrong.
    return "ok" if check.passed else check.verdict if check.verdict == "differs elsewhere" else "WRONG"


def verification_as_json(found: Verification) -> str:
    """Write the result as a strict JSON object."""
    return json_text(found.facts())

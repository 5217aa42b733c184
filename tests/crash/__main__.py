"""Kills, damages and deceives lossrun in every way that we know, and prints how often it held.

    python -m tests.crash                               everything (hours on two idle cores)
    python -m tests.crash kills disk --share 0.1        a tenth of the cases of two attacks

Run from the root of the repository. It exits with 1 if anything did not hold.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from tests.bench.machine import description
from tests.bench.tables import print_table, progress
from tests.crash import outcomes
from tests.crash.rows import ROWS, Row

# Before torch is imported, which reads it: a second thread is of no use to such small runs, and on a busy machine the
# first would wait for it.
os.environ.setdefault("OMP_NUM_THREADS", "1")

LISTED = 20  # problems of one attack that are printed


def main() -> None:
    listed = "\n".join(f"  {row.name:18} {row.what}" for row in ROWS)
    parser = argparse.ArgumentParser(
        prog="python -m tests.crash",
        description=f"{(__doc__ or '').splitlines()[0]}\n\n{listed}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names = [row.name for row in ROWS]
    parser.add_argument("names", nargs="*", metavar="NAME", help="left out: all of them")
    parser.add_argument(
        "--share", type=float, default=1.0, help="the share of the cases that is tried, chosen at random"
    )
    parser.add_argument(
        "--part", default="1/1", metavar="I/N", help="the part of the cases that this process tries, of N"
    )
    parser.add_argument("--seed", type=int, default=0, help="for what is chosen at random")
    parser.add_argument("--minutes", type=float, default=60.0, help="the most that one attack may take")
    asked = parser.parse_args()
    if unknown := [name for name in asked.names if name not in names]:
        parser.error(f"{', '.join(unknown)}: no such attack; there are {', '.join(names)}")
    number, parts = map(int, asked.part.split("/"))
    outcomes.part = (number, parts)
    print(description())
    table = [tried(row, asked) for row in ROWS if row.name in (asked.names or names)]
    print_table("Held of tried", ("attack", "held", "tried", "minutes"), table)
    sys.exit(any(held != cases for _, held, cases, _ in table))


def tried(row: Row, asked: argparse.Namespace) -> tuple[str, str, str, str]:
    """Try a row, print its problems, and return its line of the table."""
    cases = problems = 0
    ended = ""
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        for outcome in row.outcomes(Path(folder), asked.share, asked.seed):
            cases += 1
            if outcome.figure:
                progress(f"{row.name}: {outcome.figure}")
            if outcome.problem:
                problems += 1
                if problems <= LISTED:
                    progress(f"{row.name}: {outcome.case}: {outcome.problem}")
            if time.monotonic() - start > 60 * asked.minutes:
                ended = ", not all"
                break
    seconds = time.monotonic() - start
    progress(f"{row.name}: {cases - problems} of {cases} held, in {seconds:.0f} s{ended}")
    return row.name, f"{cases - problems:,}", f"{cases:,}", f"{seconds / 60:.1f}{ended}"


if __name__ == "__main__":
    main()

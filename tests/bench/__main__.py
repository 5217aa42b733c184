"""Measures lossrun next to every peer that is installed, and prints tables.

    python -m tests.bench                      everything (about half an hour on two idle cores)
    python -m tests.bench epochs --tasks mnist-128 --peers keras-jax lightning --rounds 5

Run from the root of the repository. MNIST is read from $LOSSRUN_DATA_DIR.
"""

import argparse

from tests.bench import command, epochs, growth, neighbour, rates, seeds, startup, sweep
from tests.bench.machine import description
from tests.bench.peers import PEERS
from tests.bench.tasks import TASKS

PARTS = {
    "epochs": "seconds per epoch next to every peer",
    "command": "whole commands compared with the same job in Keras and Lightning; what starting adds to import torch",
    "seeds": "many seeds in one run compared with one",
    "sweep": "whole sweeps compared with the same runs one by one",
    "rates": "rates that find-lr suggests compared with the best rate of a sweep; only where asked for",
    "neighbour": "a small run next to busy processes",
    "startup": "commands that must not import torch",
    "growth": "more samples, memory, evaluation, checkpoints, long histories",
}


def main() -> None:
    listed = "\n".join(f"  {name:9} {meaning}" for name, meaning in PARTS.items())
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench",
        description=f"{(__doc__ or '').splitlines()[0]}\n\n{listed}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("part", nargs="?", choices=[*PARTS, "all"], default="all", help="left out: all of them")
    parser.add_argument("--rounds", type=int, help="how often each is measured, in turn")
    parser.add_argument("--epochs", type=int, help="counted epochs of each measurement")
    for option, names, of in (("--tasks", list(TASKS), "`epochs`"), ("--peers", list(PEERS), "`epochs` and `command`")):
        parser.add_argument(
            option, nargs="+", choices=names, default=names, metavar="NAME", help=f"of {of}: {', '.join(names)}"
        )
    asked = parser.parse_args()
    print(description())
    rounds, counted = asked.rounds, asked.epochs
    if asked.part in ("epochs", "all"):
        epochs.measure(asked.tasks, asked.peers, rounds or 3, counted or 5)
    if asked.part in ("command", "all"):
        command.measure(asked.peers, rounds or 3, counted or 5)
    if asked.part in ("seeds", "all"):
        seeds.measure(rounds or 3, counted or 9)
    if asked.part in ("sweep", "all"):
        sweep.measure(rounds or 3, counted or 5)
    if asked.part in ("neighbour", "all"):
        neighbour.measure(rounds or 5, counted or 5)
    if asked.part == "rates":
        rates.measure()
    if asked.part in ("startup", "all"):
        startup.measure(rounds or 7)
    if asked.part in ("growth", "all"):
        growth.measure(rounds or 3, counted or 5)


if __name__ == "__main__":
    main()

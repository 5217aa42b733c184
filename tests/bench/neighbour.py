"""What a busy neighbour costs a small run, which trains on one thread so that it costs little."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median
from typing import Final

from tests.bench.child import ask
from tests.bench.tables import print_table, progress, ratio, seconds, spread, verdict
from tests.bench.tasks import TASKS

MOST_TIMES: Final = 2.0


def measure(rounds: int, epochs: int) -> None:
    """Alone, with one busy process, and with one on each core, in turn. `epochs` are counted after a first one."""
    config = TASKS["regression"].config(1 + 10 * epochs)
    everywhere = os.cpu_count() or 1
    counts = sorted({0, 1, everywhere})
    times: dict[int, list[float]] = {count: [] for count in counts}
    for number in range(rounds):
        for count in counts:
            with busy(count):
                times[count].append(median(ask("run_child:run", config=config)["seconds"][1:]))
            progress(f"neighbours, round {number + 1}/{rounds}: {count} busy, an epoch {seconds(times[count][-1])}")
    rows = []
    for count in counts:
        times_alone = ratio(times[count], times[0])
        each = [busy / alone for busy, alone in zip(times[count], times[0], strict=True)]
        target = verdict(times_alone, MOST_TIMES if count == 1 else None)
        rows.append([str(count), seconds(median(times[count])), f"{times_alone:.2f}", spread(each, 2), *target])
    print_table(
        f"{TASKS['regression'].title} next to busy processes, {everywhere} cores, {rounds} rounds",
        ["busy processes", "an epoch", "/ alone", "in each round", "target", ""],
        rows,
    )


@contextmanager
def busy(count: int) -> Iterator[None]:
    """`count` processes that each keep a core busy."""
    processes = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()

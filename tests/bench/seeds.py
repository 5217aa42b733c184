"""What many seeds in one run cost beside one seed."""

from collections.abc import Sequence
from statistics import median
from typing import Any

from tests.bench.child import ask
from tests.bench.tables import print_table, progress, ratio, seconds, spread, verdict
from tests.bench.tasks import TASKS


def measure(rounds: int, epochs: int) -> None:
    """`epochs` are counted after a first one; MNIST takes a third of them."""
    _measure("regression", [1, 16, 64], {64: 3.5}, rounds, epochs)
    _measure("mnist-128", [1, 10], {}, rounds, max(1, epochs // 3))


def _measure(task: str, counts: Sequence[int], targets: dict[int, float], rounds: int, epochs: int) -> None:
    answers: dict[int, list[dict[str, Any]]] = {count: [] for count in counts}
    for number in range(rounds):
        for count in counts:
            answers[count].append(ask("run_child:run", config=TASKS[task].config(1 + epochs) | {"seeds": count}))
            progress(f"{task}, round {number + 1}/{rounds}: {count} seeds {answers[count][-1]['whole']:.2f} s")
    epoch = {count: [median(answer["seconds"][1:]) for answer in answers[count]] for count in counts}
    whole = {count: [answer["whole"] for answer in answers[count]] for count in counts}
    one = counts[0]
    rows = []
    for count in counts:
        times = ratio(epoch[count], epoch[one])
        ratios = [many / lone for many, lone in zip(epoch[count], epoch[one], strict=True)]
        rows.append(
            [
                str(count),
                seconds(median(epoch[count])),
                f"{times:.2f}",
                spread(ratios, 2),
                *verdict(times, targets.get(count)),
                seconds(median(whole[count])),
                f"{ratio(whole[count], whole[one]):.2f}",
            ]
        )
    print_table(
        f"{TASKS[task].title}: several seeds in one run, {rounds} rounds, {epochs} epochs after a first one, medians; "
        f"a run: {1 + epochs} epochs, lossrun's imports left out",
        ["seeds", "an epoch", "/ one seed's", "in each round", "target", "", "a run", "/ one seed's"],
        rows,
    )

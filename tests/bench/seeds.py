"""What many seeds in one run cost compared with one seed."""

from collections.abc import Sequence
from statistics import median
from typing import Any

from tests.bench.child import ask
from tests.bench.tables import print_table, progress, ratio, seconds, spread, verdict
from tests.bench.tasks import TASKS


def measure(rounds: int, epochs: int) -> None:
    """`epochs` are counted after a first one; MNIST takes a third of them."""
    _measure("regression", [1, 16, 64], {64: 3.5}, {64: 3.5}, rounds, epochs)
    _measure("regression", [1, 64], {}, {64: 5.0}, rounds, epochs, kind="friedman1")
    _measure("mnist-32", [1, 10], {}, {10: 8.0}, rounds, max(1, epochs // 3))
    _measure("mnist-128", [1, 10], {}, {10: 10.0}, rounds, max(1, epochs // 3))


def _measure(
    task: str,
    counts: Sequence[int],
    of_an_epoch: dict[int, float],
    of_a_run: dict[int, float],
    rounds: int,
    epochs: int,
    **dataset: Any,
) -> None:
    """The two dicts: how many times as long as with one seed it may take."""
    answers: dict[int, list[dict[str, Any]]] = {count: [] for count in counts}
    for number in range(rounds):
        for count in counts:
            config = TASKS[task].config(1 + epochs) | {"seeds": count}
            config["dataset"] = config["dataset"] | dataset
            answers[count].append(ask("run_child:run", config=config))
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
                *verdict(times, of_an_epoch.get(count)),
                seconds(median(whole[count])),
                f"{ratio(whole[count], whole[one]):.2f}",
                *verdict(ratio(whole[count], whole[one]), of_a_run.get(count)),
            ]
        )
    print_table(
        f"{' '.join([TASKS[task].title, *dataset.values()])}: several seeds in one run, {rounds} rounds, {epochs} "
        "epochs after a first one, medians; "
        f"a run: {1 + epochs} epochs, lossrun's imports left out",
        ["seeds", "an epoch", "/ one seed's", "in each round", "target", "", "a run", "/ one seed's", "target", ""],
        rows,
    )

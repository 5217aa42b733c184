"""Seconds per epoch, evaluation on the validation part included, next to every peer that is installed."""

import tempfile
from collections.abc import Sequence
from statistics import median

from tests.bench.child import ChildFailedError, ask
from tests.bench.peers import PEERS, available
from tests.bench.tables import print_table, progress, ratio, seconds, spread, verdict
from tests.bench.tasks import TASKS, Task


def measure(tasks: Sequence[str], peers: Sequence[str], rounds: int, epochs: int) -> None:
    """`epochs` are counted after a first one, which compiles and warms."""
    there = available(peers)
    with tempfile.TemporaryDirectory() as folder:
        for name in tasks:
            ask("tasks:write_arrays", task=name, folder=folder)
            _measure(TASKS[name], there, rounds, epochs * TASKS[name].more_epochs, folder)


def _measure(task: Task, peers: list[str], rounds: int, epochs: int, folder: str) -> None:
    """A round is a seed, so that the scores show what chance does to them."""
    medians: dict[str, list[float]] = {peer: [] for peer in peers}
    scores: dict[str, list[float]] = {peer: [] for peer in peers}
    for number in range(rounds):
        # There and back, so that nobody always comes after the same neighbour.
        for peer in list(medians)[:: -1 if number % 2 else 1]:
            request = {"task": task.name, "epochs": 1 + epochs, "seed": number, "folder": folder}
            try:
                answer = ask(PEERS[peer].measurement, PEERS[peer].environment, **request)
            except ChildFailedError as error:
                if peer == "lossrun":
                    raise
                print(f"{peer} is left out: {error}")
                del medians[peer]
                continue
            assert len(answer["seconds"]) == 1 + epochs
            medians[peer].append(median(answer["seconds"][1:]))
            scores[peer].append(answer["score"])
            progress(f"{task.name}, round {number + 1}/{rounds}: {peer} {medians[peer][-1]:.4f} s")
    rows = []
    for peer, values in medians.items():
        row = [peer, seconds(median(values)), spread(scores[peer], 4)]
        if peer != "lossrun":
            times = ratio(medians["lossrun"], values)
            ratios = [ours / theirs for ours, theirs in zip(medians["lossrun"], values, strict=True)]
            row += [f"{times:.3f}", spread(ratios), *verdict(times, task.targets.get(peer))]
        rows.append(row)
    columns = ["peer", "an epoch", f"val_{task.score}", "lossrun / it", "in each round", "target", ""]
    print_table(f"{task.title}: {rounds} rounds of {epochs} epochs after a first one, medians", columns, rows)

"""What grows with the data and what must not: time per sample, memory, and the shares of an epoch that do not train."""

from statistics import median
from typing import Any, Final

from tests.bench import long_history
from tests.bench.child import ask
from tests.bench.tables import mebibytes, print_table, progress, verdict
from tests.bench.tasks import TASKS

SAMPLES: Final = (1_000, 10_000, 100_000, 1_000_000)
MOST_EVALUATION: Final = 10  # percent of an epoch
MOST_CHECKPOINT: Final = 2
BESIDE_THE_DATA: Final = 300 * 2**20  # bytes of memory
COPIES: Final = 10  # of the parameters: weights, gradients, optimizer state, checkpoints in the making


def measure(rounds: int, epochs: int) -> None:
    peaks = {"import torch": ask("run_child:import_torch")}
    peaks |= {"1,000,000 synthetic samples": _measure_samples(rounds)}
    peaks |= {TASKS["mnist-128"].title: _measure_shares(rounds, epochs)}
    _print_memory(peaks)
    long_history.measure()


def _measure_samples(rounds: int) -> dict[str, Any]:
    """Epochs after a first one: more of them where they are short. Returns the last and largest measurement."""
    answers: dict[int, list[dict[str, Any]]] = {samples: [] for samples in SAMPLES}
    for number in range(rounds):
        for samples in SAMPLES:
            epochs = 1 + max(1, 10_000 // samples)
            dataset = {"name": "synthetic_regression", "features": 10, "samples": samples, "validation": 0.1, "test": 0}
            answers[samples].append(
                ask("run_child:run", config=TASKS["regression"].config(epochs) | {"dataset": dataset})
            )
            progress(f"growth, round {number + 1}/{rounds}: {samples} samples {answers[samples][-1]['whole']:.2f} s")
    per_sample = {
        samples: [median(answer["seconds"][1:]) / answer["samples"] * 1e6 for answer in given]
        for samples, given in answers.items()
    }
    least = median(per_sample[SAMPLES[0]])
    rows = [
        [
            f"{samples:,}",
            f"{median(values):.3f} us",
            f"{median(values) / least:.3f}",
            f"{median(answer['whole'] for answer in answers[samples]):.2f} s",
        ]
        for samples, values in per_sample.items()
    ]
    print_table(
        f"Growth: synthetic regression, MLP 10-20-1, Adam, batch 32, validation 0.1; {rounds} rounds, medians",
        ["samples", "epoch per training sample", f"/ that of {SAMPLES[0]:,}", "whole run"],
        rows,
    )
    return answers[SAMPLES[-1]][-1]


def _measure_shares(rounds: int, epochs: int) -> dict[str, Any]:
    """Of MNIST at batch 128: what an epoch spends on evaluating, and on checkpoints and best weights."""
    answers = []
    for number in range(rounds):
        config = TASKS["mnist-128"].config(1 + epochs)
        answers.append(ask("run_child:run", config=config, time_checkpoints=True))
        progress(f"shares, round {number + 1}/{rounds}: {answers[-1]['whole']:.2f} s")
    evaluation, checkpoint, rest = [], [], []
    for answer in answers:
        # The first epoch warms.
        between, seconds, train_seconds = answer["between"], answer["seconds"][1:], answer["train_seconds"][1:]
        evaluation.append(1 - sum(train_seconds) / sum(seconds))
        checkpoint.append(sum(answer["checkpoints"]) / sum(between))
        rest.append(1 - sum(seconds) / sum(between))
    rows = [
        [what, f"{100 * median(values):.2f} %", *verdict(100 * median(values), target)]
        for what, values, target in (
            ("evaluation, of the `seconds` column", evaluation, MOST_EVALUATION),
            ("checkpoints and best weights, of wall time", checkpoint, MOST_CHECKPOINT),
            ("outside the `seconds` column, of wall time", rest, None),
        )
    ]
    print_table(
        f"{TASKS['mnist-128'].title}: shares of an epoch, {rounds} rounds of {epochs} epochs, medians",
        ["share", "median", "target (%)", ""],
        rows,
    )
    return answers[-1]


def _print_memory(peaks: dict[str, dict[str, Any]]) -> None:
    rows = []
    for what, answer in peaks.items():
        peak, row = answer["peak"], [what, mebibytes(answer["peak"])]
        if "dataset" in answer:
            parameters = answer["parameters"] * 4
            allowed = answer["dataset"] + BESIDE_THE_DATA + COPIES * parameters
            row += [
                mebibytes(answer["dataset"]),
                mebibytes(parameters),
                mebibytes(peak - peaks["import torch"]["peak"]),
            ]
            row += [f"<= {mebibytes(allowed)}", "met" if peak <= allowed else "MISSED"]
        rows.append(row)
    print_table(
        f"Peak memory; the target is dataset (as float32) + 300 MiB + {COPIES} x parameters",
        ["process", "peak", "dataset", "parameters", "over import torch", "target", ""],
        rows,
    )

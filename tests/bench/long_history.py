"""Reading long histories, and comparing runs that have them."""

import json
import random
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any, Final

from lossrun.records import ledger
from lossrun.records.files.digests import GrowingDigest, of_text
from lossrun.records.run_directory import RunDirectory, all_runs
from tests.bench.child import ask
from tests.bench.startup import LOSSRUN, timed
from tests.bench.tables import mebibytes, print_table, progress, seconds, verdict
from tests.bench.tasks import TASKS

COLUMNS: Final = (
    "train_loss", "val_loss", "val_mse", "val_mae", "val_huber", "val_rmse", "val_r2",
    "learning_rate", "grad_norm", "seconds", "train_seconds",
)  # fmt: skip
MOST_SECONDS: Final = 3.0  # for a million rows
SEEDS: Final = 10  # of the runs to compare


def measure() -> None:
    with tempfile.TemporaryDirectory() as folder:
        _measure_reading(Path(folder))
    with tempfile.TemporaryDirectory() as folder:
        _measure_comparing(Path(folder))


def _measure_reading(folder: Path) -> None:
    rows = []
    for epochs in (100, 1000):
        path = folder / "history.jsonl"
        _write(path, epochs, range(1000))
        answers = [ask("run_child:read_history", path=str(path)) for _ in range(3)]
        middle = median(answer["seconds"] for answer in answers)
        assert answers[0]["rows"] == epochs * 1000
        target = verdict(middle, MOST_SECONDS) if epochs == 1000 else ()
        size, peak = path.stat().st_size, answers[0]["peak"]
        rows.append([f"{epochs * 1000:,}", mebibytes(size), f"{middle:.3f} s", mebibytes(peak), *target])
        progress(f"history of {epochs * 1000} rows: {middle:.2f} s")
    print_table(
        "Reading a history (lossrun.records.history.read), 1,000 seeds, 3 times each, medians",
        ["rows", "file", "time", "peak memory", "target (s)", ""],
        rows,
    )


def _measure_comparing(folder: Path) -> None:
    """Two real tiny runs of a few seeds, their histories replaced by longer ones."""
    (folder / "config.yaml").write_text(json.dumps(TASKS["regression"].config(1) | {"seeds": SEEDS}))
    for loss in ("mse", "mae"):
        timed([*LOSSRUN, "train", "config.yaml", "--set", f"loss={loss}", "--name", loss, "--quiet"], folder)
    originals = all_runs(folder / "runs")
    rows = []
    for many in (1_000, 100_000, 1_000_000):
        runs_dir = folder / f"runs-{many}"
        for original in originals:
            copy = RunDirectory(runs_dir / original.name)
            shutil.copytree(original, copy.path)
            _lengthen(copy, many // SEEDS)
        command = [*LOSSRUN, "compare", "last~1", "last", "--runs-dir", str(runs_dir)]
        passed = [timed(command, folder) for _ in range(3)]
        rows.append([f"2 x {many:,}", seconds(median(passed)), f"{median(passed) / (2 * many) * 1e6:.2f} us"])
        progress(f"compare 2 x {many} rows: {median(passed):.2f} s")
        shutil.rmtree(runs_dir)
    print_table(
        f"lossrun compare, from the shell to exit, {SEEDS} seeds, 3 times each, medians",
        ["history rows", "command", "per row"],
        rows,
    )


def _lengthen(run: RunDirectory, epochs: int) -> None:
    """Turn a run of one epoch into one of many, and record that in its ledger, which has the digests of the files."""
    first, *_, last = (
        {key: value for key, value in event.items() if key not in ("event", "time", "digest")}
        for event in ledger.read(run.ledger_path)
    )
    before = run.config_path.read_text()
    after = before.replace("epochs: 1\n", f"epochs: {epochs}\n")
    assert after != before
    run.config_path.write_text(after)
    template = json.loads(run.history_path.read_text().splitlines()[0])
    _write(run.history_path, epochs, range(SEEDS), template)
    content = GrowingDigest()
    content.add(run.history_path.read_bytes())
    own = {"config": first["config"] | {"epochs": epochs}, "config_digest": of_text(after.encode()), "epochs": epochs}
    finished = {**last, "epoch": epochs, "step": 32 * epochs, "history": asdict(content.mark())}
    run.ledger_path.unlink()
    ledger.append_all([(run.ledger_path, [("started", {**first, **own}), ("finished", finished)])])


def _write(path: Path, epochs: int, seeds: range, template: Mapping[str, Any] | None = None) -> None:
    """A history of epochs x seeds rows with made-up numbers of full precision in the columns of `template`."""
    columns = [name for name in template or COLUMNS if name not in ("epoch", "step", "seed")]
    draw = random.Random(0)
    with path.open("w") as file:
        for epoch in range(1, epochs + 1):
            file.writelines(_lines(epoch, seeds, columns, draw))


def _lines(epoch: int, seeds: range, columns: list[str], draw: random.Random) -> Iterator[str]:
    for seed in seeds:
        numbers = "".join(f', "{name}": {draw.random()!r}' for name in columns)
        yield f'{{"epoch": {epoch}, "step": {32 * epoch}, "seed": {seed}{numbers}}}\n'

"""What the attacks on whole commands share: a small run with everything in it, and what is to become of it."""

from pathlib import Path

from lossrun.errors import LossrunError
from lossrun.records import recorded
from lossrun.records.run_directory import RunDirectory, all_runs
from tests.crash.forks import Forks
from tests.training.conftest import assert_same_bits

# Two epochs of 24 steps, with everything that has a state of its own.
CONFIG = """\
name: attacked
dataset: {name: synthetic_classification, kind: moons, samples: 240, test: 20, validation: 28}
model: {name: mlp, hidden: [8, 8], dropout: 0.3, batch_norm: true}
loss: {name: binary_cross_entropy, label_smoothing: 0.1, class_weights: balanced}
optimizer: adam
learning_rate: 0.01
schedule: {name: cosine, warmup_epochs: 1}
epochs: 2
batch_size: 8
checkpoint: {every: 20 steps, keep: 2}
"""
TRAIN = ("train", "config.yaml")
RESUME = ("resume", "last")


def new_folder(path: Path, config: str = CONFIG) -> Path:
    """Make a folder with a config."""
    path.mkdir(parents=True)
    (path / "config.yaml").write_text(config)
    return path


def only_run(folder: Path) -> RunDirectory | None:
    """Return the newest run in `runs`; None if there is none."""
    runs = all_runs(folder / "runs")
    return RunDirectory(runs[-1]) if runs else None


def reference(server: Forks, folder: Path) -> RunDirectory:
    """Train the run that all others must equal."""
    done = server.run(TRAIN, new_folder(folder))
    assert done.code == 0, done.err
    run = only_run(folder)
    assert run is not None
    return run


def brought_to_its_end(server: Forks, folder: Path, whole: RunDirectory) -> str:
    """Resume the run in `folder`, or train it if it does not exist, and return how its end differs from the whole."""
    listing = server.run(("ls",), folder)
    if problem := listing.problem(0):
        return f"ls: {problem}"
    begun = only_run(folder) is not None
    done = server.run(RESUME if begun else TRAIN, folder)
    if problem := done.problem(0):
        return f"{'resume' if begun else 'train'} afterwards: {problem}"
    return difference(whole, folder)


def difference(whole: RunDirectory, folder: Path) -> str:
    """Return how the only run in `folder` differs from the whole one; "" if it is equal bit for bit."""
    runs = all_runs(folder / "runs")
    if len(runs) != 1:
        return f"{len(runs)} runs instead of one"
    run = RunDirectory(runs[0])
    try:
        assert_same_bits(whole, run)
        one, other = recorded.load(whole.path), recorded.load(run.path)
    except (AssertionError, LossrunError, OSError) as error:
        return f"differs: {' '.join(str(error).split())[:300]}"
    if other.status != "finished" or one.finished is None or other.finished is None:
        return f"its status is {other.status}"
    if one.finished["seeds"] != other.finished["seeds"]:
        return "its results differ"
    if not run.predictions_path.exists() or run.predictions_path.read_bytes() != whole.predictions_path.read_bytes():
        return "its predictions differ or are missing"
    return ""

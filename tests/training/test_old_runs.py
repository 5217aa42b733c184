"""A run that was written before runs carried digests (`tests/records/before_digests`, made by lossrun 0.1.0 at commit
e8838da with torch 2.13: 3 epochs of 3 steps, 2 seeds) is read, scored and taken up again."""

import json
import shutil
from hashlib import sha256
from pathlib import Path

import pytest
from safetensors.numpy import load_file

from lossrun.errors import CheckpointError, RunError
from lossrun.inference.exporting import export
from lossrun.inference.scoring import score
from lossrun.inference.verifying import verified
from lossrun.records import checkpoint_headers, checkpoints, ledger, recorded
from lossrun.records.recorded import UNVERIFIED
from lossrun.records.run_directory import RunDirectory
from lossrun.training.starting.resumable import resuming
from lossrun.version import __version__
from tests.crash.sealed import in_preparation
from tests.training.conftest import Laboratory

GOLDEN = Path(__file__).parent.parent / "records" / "before_digests"


@pytest.fixture
def old(tmp_path: Path) -> RunDirectory:
    shutil.copytree(GOLDEN, tmp_path / "old")
    return RunDirectory(tmp_path / "old")


def test_it_is_read_and_scored_with_a_word(old: RunDirectory) -> None:
    run = recorded.load(old.path)
    assert (run.status, run.verified, run.edited, run.warnings) == ("finished", False, (), ())
    assert run.finished is not None
    scores = score(old.path)
    assert UNVERIFIED in scores.notes
    assert scores.epochs == {0: 3, 1: 3}
    for seed, values in scores.seeds.items():
        written = run.finished["seeds"][str(seed)]["test_at_best"]
        for name in ("loss", "mse", "mae", "huber", "rmse", "r2"):
            assert values[name] == pytest.approx(written[f"test_{name}"], rel=1e-5)


def test_it_is_resumed_and_ends_with_digests(old: RunDirectory, laboratory: Laboratory) -> None:
    laboratory.resume(old, "epochs=5")
    run = recorded.load(old.path)
    assert run.finished is not None
    assert [row["epoch"] for row in run.history.rows] == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    (best,) = checkpoints.best_files(old.checkpoints)  # the files of each seed have gone
    assert run.finished["best_weights"] == best.name
    assert score(old.path).epochs == {0: 5, 1: 5}
    assert checkpoints.read(checkpoints.candidates(old.checkpoints)[0]).metadata["run"] is None
    # The digests of what came later prove what was there before.
    for name in ("ledger.jsonl", "history.jsonl"):
        path = old.path / name
        content = path.read_bytes()
        path.write_bytes(content.replace(b'"epoch": 3', b'"epoch": 2', 1))
        with pytest.raises(RunError, match=f"{name}.* digest"):
            recorded.load(old.path)
        path.write_bytes(content)


def test_its_best_weights_are_held_against_what_the_run_says(old: RunDirectory) -> None:
    shutil.copy(old.best_weights_path(1), old.best_weights_path(0))
    with pytest.raises(CheckpointError, match=r"best-seed0\.safetensors: it has the weights of seed 1"):
        score(old.path)


def test_its_edited_config_is_noticed_by_the_checkpoints(old: RunDirectory, laboratory: Laboratory) -> None:
    old.config_path.write_text(old.config_path.read_text().replace("batch_size: 16", "batch_size: 8"))
    for command in (score, lambda path: laboratory.resume(RunDirectory(path), "epochs=5")):
        with pytest.raises(RunError, match=r"config\.yaml is not the config .* edited"):
            command(old.path)
    assert any("edited" in text for text in recorded.load(old.path).warnings)


@pytest.mark.usefixtures("no_settings_are_tried")
def test_best_weights_of_epochs_given_up_are_not_taken_up(old: RunDirectory, laboratory: Laboratory) -> None:
    """As if the run had been killed in its third epoch, after the files of best weights and before the checkpoint."""
    checkpoints.candidates(old.checkpoints)[0].unlink()
    old.ledger_path.write_bytes(old.ledger_path.read_bytes().splitlines(keepends=True)[0])
    with pytest.raises(CheckpointError, match="after epoch 3, step 9, but the best of seed 0 is epoch 2, step 6"):
        score(old.path)
    told: list[str] = []
    laboratory.resume(old, "learning_rate=1e-12", "epochs=4", note=told.append)
    assert any("best weights so far are lost" in text for text in told)
    finished = ledger.read(old.ledger_path)[-1]["seeds"]["0"]
    assert finished["best_epoch"] > 2
    assert finished["test_at_best"] == pytest.approx(finished["test_at_last"], rel=1e-6)


# Runs of 0.2.0 with torch 2.13, by checkpoints of format 2 (commit a59c560) and 3: 3 epochs of 3 steps, 2 seeds, with
# dropout, batch norm, a plateau schedule and early stopping. Newer versions read and resume them forever.
RECORDS = Path(__file__).parent.parent / "records"
FORMAT_2, FORMAT_3 = (RECORDS / f"format_{number}" for number in (2, 3))
# Of 0.2.0 with torch 2.13, too: a run whose dataset, model, loss and optimizer are the user's own, with their copy; a
# cell of a finished sweep; and what `export --format safetensors --format csv` wrote of FORMAT_3.
OWN_SOURCE, EXPORTED = RECORDS / "own_source", RECORDS / "exported"
CELL = RECORDS / "finished_sweep" / "final-0001-mse-0.1"
KEPT = [FORMAT_2, FORMAT_3, OWN_SOURCE, CELL]


@pytest.fixture
def kept(tmp_path: Path) -> RunDirectory:
    shutil.copytree(FORMAT_3, tmp_path / "kept")
    return RunDirectory(tmp_path / "kept")


def test_there_is_a_run_of_every_format() -> None:
    newest = [
        checkpoints.read(checkpoints.candidates(path / "checkpoints")[0]) for path in (GOLDEN, FORMAT_2, FORMAT_3)
    ]
    assert [one.metadata["format_version"] for one in newest] == list(checkpoint_headers.READABLE)


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.name)
def test_a_run_of_such_a_format_is_read_scored_verified_and_resumed(
    path: Path, tmp_path: Path, laboratory: Laboratory
) -> None:
    shutil.copytree(path, tmp_path / "kept")
    kept = RunDirectory(tmp_path / "kept")
    run = recorded.load(kept.path)
    assert (run.status, run.verified, run.edited, run.warnings) == ("finished", True, (), ())
    assert run.finished is not None
    scores = score(kept.path)
    for seed, values in scores.seeds.items():
        written = run.finished["seeds"][str(seed)]["test_at_best"]
        assert values["rmse"] == pytest.approx(written["test_rmse"], rel=1e-5)
    wrong = [check.problem for check in verified(kept.path).checks if not check.passed]
    assert all("possibly because this differs here" in problem for problem in wrong)  # on another kind of CPU
    seeds, epochs = len(run.seeds), run.config["epochs"]
    laboratory.resume(kept, f"epochs={epochs + 1}")
    again = recorded.load(kept.path).history.rows.column("epoch")
    assert list(again) == [epoch for epoch in range(1, epochs + 2) for _ in range(seeds)]


def test_an_end_that_was_lost_is_told_by_whoever_computes_with_the_run(
    kept: RunDirectory, laboratory: Laboratory
) -> None:
    rows = kept.history_path.read_bytes().splitlines(keepends=True)
    kept.history_path.write_bytes(b"".join(rows[:-1]))
    assert any("has lost part of its history" in text for text in score(kept.path).notes)
    kept.history_path.write_bytes(b"".join(rows))
    kept.ledger_path.write_bytes(kept.ledger_path.read_bytes()[:-1])
    torn = "ledger.jsonl ends in an incomplete line, which is ignored"
    assert torn in score(kept.path).notes
    with resuming(kept.path) as found:
        assert torn in found.notes


@pytest.mark.parametrize("path", [FORMAT_3, OWN_SOURCE, CELL], ids=lambda path: path.name)
def test_a_newer_format_is_refused_politely(path: Path, tmp_path: Path, laboratory: Laboratory) -> None:
    shutil.copytree(path, tmp_path / "kept")
    kept = RunDirectory(tmp_path / "kept")
    for path in checkpoints.candidates(kept.checkpoints):
        content = path.read_bytes()
        length = int.from_bytes(content[:8], "little")
        header = json.loads(content[8 : 8 + length])
        header["__metadata__"]["lossrun"] = header["__metadata__"]["lossrun"].replace(
            '"format_version": 3', '"format_version": 4'
        )
        text = json.dumps(header).encode()
        newer = len(text).to_bytes(8, "little") + text + content[8 + length :]
        path.unlink()
        path.with_name(f"{path.name[:14]}{sha256(newer).hexdigest()[:16]}.safetensors").write_bytes(newer)
    with pytest.raises(CheckpointError, match="format version 4, but this lossrun reads 1, 2, 3; update lossrun"):
        laboratory.resume(kept, "epochs=4")
    in_preparation(("forms", 0, "form", "format"), "99")(kept.path)
    with pytest.raises(RunError, match=r"preparation\.json.*update lossrun"):
        export(kept.path, tmp_path / "exported", checkpoint="last")


def test_an_export_holds_what_that_of_an_older_version_does(tmp_path: Path) -> None:
    export(FORMAT_3, tmp_path / "exported", ["safetensors", "csv"])
    old, new = (load_file(folder / "model.safetensors") for folder in (EXPORTED, tmp_path / "exported"))
    assert old.keys() == new.keys()
    assert all(old[name].tobytes() == new[name].tobytes() for name in old)
    facts = [json.loads((folder / "model.json").read_text()) for folder in (EXPORTED, tmp_path / "exported")]
    assert facts[1] == facts[1] | facts[0] | {"lossrun": __version__}
    rows = [(folder / "history.csv").read_text().splitlines() for folder in (EXPORTED, tmp_path / "exported")]
    assert rows[0] == rows[1]

"""What a run reads back as a result is what was written, or is refused by name with exit 4: never another number."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from lossrun.api import train
from lossrun.records import checkpoints, recorded
from tests.cli.conftest import CONFIG, Result, Run

# Findings of runs as short as these.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

# Both seeds keep predictions, and the second of two checkpoints is the last.
SETTINGS = ("seeds=2", "dataset.standardize={inputs: true, targets: true}")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with three finished runs; each test damages a copy of one."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "config.yaml").write_text(CONFIG)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name in ("first", "second", "third"):
            train("config.yaml", runs_dir="runs", overrides=[f"name={name}", *SETTINGS])
    return folder


@pytest.fixture
def run(lossrun: Run, trained: Path, tmp_path: Path) -> Path:
    """A finished run, with others to compare it with."""
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    (path,) = (tmp_path / "runs").glob("*-first")
    return path


def commands(lossrun: Run, run: Path) -> dict[str, Result]:
    new = run.parent.parent / "new.csv"
    new.write_text("1,2,3\n" if not new.exists() else new.read_text())
    export = run.parent.parent / "exported"
    shutil.rmtree(export, ignore_errors=True)
    return {
        "evaluate": lossrun("evaluate", "first"),
        "show": lossrun("show", "first"),
        "export": lossrun("export", "first", "-o", "exported"),
        "compare": lossrun("compare", "first", "second", "third"),
        "ls": lossrun("ls"),
        "plot": lossrun("plot", "first"),
    }


def flipped(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


def test_an_untouched_run_is_believed(lossrun: Run, run: Path) -> None:
    for name, result in commands(lossrun, run).items():
        assert (name, result.code, "digest" in result.err) == (name, 0, False)


# Of each file: where one digit of a number, or a bit of a weight, is changed, and which commands must refuse.
DIGIT = {
    "history.jsonl": lambda text: text.index(b'"train_loss": ') + 16,
    "ledger.jsonl": lambda text: text.index(b'"test_rmse": ') + 15,
}


@pytest.mark.parametrize("name", DIGIT)
def test_a_changed_digit_is_no_result(lossrun: Run, run: Path, name: str) -> None:
    flipped(run / name, DIGIT[name]((run / name).read_bytes()))
    results = commands(lossrun, run)
    for command in ("evaluate", "show", "export", "plot"):
        assert results[command].code == 4, command
        assert name in results[command].err
        assert "digest" in results[command].err
    for command in ("compare", "ls"):  # the others go on
        assert results[command].code == 0
        said = results[command].out + results[command].err
        assert name in " ".join(said.split())
        assert "-second" in results[command].out
        assert not any(line.lstrip("ABC ").startswith(run.name) for line in results[command].out.splitlines())
    only_two = lossrun("compare", "first", "second")
    assert (only_two.code, name in only_two.err) == (4, True)
    resumed = lossrun("resume", "first", "--set", "epochs=6")
    assert (resumed.code, name in resumed.err) == (4, True)


def test_a_changed_bit_of_the_best_weights_is_no_result(lossrun: Run, run: Path) -> None:
    """The bit that made an rmse of 2.7e37 was in an exponent; here every kind of byte is tried."""
    (best,) = checkpoints.best_files(run / "checkpoints")
    content = best.read_bytes()
    for place in (0, 9, len(content) // 2, len(content) - 1):
        best.write_bytes(content)
        flipped(best, place)
        for command in (("evaluate", "first"), ("export", "first", "-o", "exported")):
            result = lossrun(*command)
            assert (result.code, best.name in result.err, result.out) == (4, True, "")


def test_best_weights_of_another_run_are_no_result(lossrun: Run, run: Path) -> None:
    """Their digest is in order, but they are not the data that the ledger names."""
    (best,) = checkpoints.best_files(run / "checkpoints")
    (other,) = (run.parent).glob("*-second/checkpoints/best-*")
    shutil.copy(other, best)
    result = lossrun("evaluate", "first")
    same_weights = other.name == best.name  # two runs of one config have the same bits
    assert result.code == (0 if same_weights else 4)
    best.unlink()
    assert lossrun("evaluate", "first").code == 0  # the last checkpoint holds them as well


def test_changed_predictions_are_said_to_be_unusable(lossrun: Run, run: Path) -> None:
    path = run / "predictions.npz"
    flipped(path, path.read_bytes().index(b"outputs_seed0.npy") + 200)
    assert lossrun("compare", "first", "second", "--html", "page.html").code == 0
    assert "predictions.npz: its content has the digest" in Path("page.html").read_text()


def edited(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


CONFIG_EDITS = {
    "another value": ("batch_size: 32", "batch_size: 16", "batch_size"),
    "a parameter": ("hidden:\n  - 4", "hidden:\n  - 5", "model.hidden"),
    "another component": ("name: mse", "name: mae", "loss"),
    "a deleted key": ("batch_size: 32\n", "", "batch_size"),
    "an added key": ("batch_size: 32\n", "batch_size: 32\nbatchsize: 3\n", "batchsize"),
    "seeds": ("seeds:\n- 0\n- 1\n", "seeds:\n- 0\n- 2\n", "seeds"),
}


@pytest.mark.parametrize("edit", CONFIG_EDITS)
def test_an_edited_config_is_named_by_its_key(lossrun: Run, run: Path, edit: str) -> None:
    old, new, key = CONFIG_EDITS[edit]
    before = recorded.load(run).config
    edited(run / "config.yaml", old, new)
    assert recorded.load(run).config == before  # what was recorded counts
    for command, result in commands(lossrun, run).items():
        told = " ".join((result.err + result.out).split())
        assert f"config.yaml: {key} is" in told, command
        assert result.code == (4 if command in ("evaluate", "export") else 0), command
    resumed = lossrun("resume", "first", "--set", "epochs=6")
    assert resumed.code == 4
    assert f"config.yaml: {key} is" in resumed.err
    assert "--set KEY=VALUE" in resumed.err


def test_an_edited_run_json_is_named_by_its_key(lossrun: Run, run: Path) -> None:
    edited(run / "run.json", '"step": "recorded"', '"step": "eager"')
    for command in (("resume", "first", "--set", "epochs=4"), ("evaluate", "first")):
        result = lossrun(*command)
        assert (result.code, 'run.json: step is "eager"' in result.err) == (4, True)


@pytest.mark.parametrize("name", ["config.yaml", "run.json"])
def test_a_run_that_has_lost_a_file_is_still_a_run(lossrun: Run, run: Path, name: str) -> None:
    (run / name).unlink()
    for command, code in ((("ls",), 0), (("show", "first"), 4), (("resume", "first"), 4)):
        result = lossrun(*command)
        told = " ".join((result.err + result.out).split())
        assert (result.code, f"has lost its {name}" in told) == (code, True), command
    assert lossrun("rm", "first", "--yes").code == 0
    assert not run.exists()


def test_another_run_s_config_is_refused(lossrun: Run, run: Path) -> None:
    assert lossrun("train", "config.yaml", "--name", "other", "--set", "loss=mae", "--quiet").code == 0
    (other,) = run.parent.glob("*-other")
    shutil.copy(other / "config.yaml", run / "config.yaml")
    result = lossrun("resume", "first", "--set", "epochs=6")
    assert result.code == 4
    assert "config.yaml: loss is" in result.err


def test_what_means_the_same_is_the_same(lossrun: Run, run: Path) -> None:
    """Comments, blanks, the order of keys, line ends of Windows, a byte order mark, and other spellings of numbers."""
    config, facts = run / "config.yaml", run / "run.json"
    lines = config.read_text().replace("learning_rate: 0.03", "learning_rate:   3e-2  # as it was").splitlines()
    start = lines.index("epochs: 3")
    config.write_bytes("\r\n".join(["\ufeff# mine", lines[start], *lines[1:start], *lines[start + 1 :], ""]).encode())
    facts.write_text(json.dumps(dict(reversed(json.loads(facts.read_text()).items())), indent=1))
    for name in ("history.jsonl", "ledger.jsonl"):
        (run / name).write_bytes((run / name).read_bytes().replace(b"\n", b"\r\n"))
    for command, result in commands(lossrun, run).items():
        assert (command, result.code, "edited" in result.err + result.out) == (command, 0, False), result.err
    assert lossrun("resume", "first", "--set", "epochs=4").code == 0
    assert b"\r" not in (run / "history.jsonl").read_bytes()
    resumed = recorded.load(run)
    assert resumed.status == "finished"
    assert lossrun("resume", "second", "--set", "epochs=4").code == 0
    (straight,) = run.parent.glob("*-second")
    losses = [one.history.rows.column("val_loss") for one in (resumed, recorded.load(straight))]
    assert losses[0] == losses[1]


def test_a_checkpoint_of_another_run_is_not_taken(lossrun: Run, run: Path) -> None:
    (second,) = run.parent.glob("*-second")
    for path in checkpoints.candidates(run / "checkpoints"):
        path.unlink()
    for path in checkpoints.candidates(second / "checkpoints"):
        shutil.copy(path, run / "checkpoints")
    for command in (("resume", "first", "--set", "epochs=5"), ("evaluate", "first", "--checkpoint", "last")):
        result = lossrun(*command)
        assert result.code == 4
        assert "saved by another run" in result.err


@pytest.mark.parametrize("cut", [lambda lines: lines[:-1], lambda lines: lines[1:], lambda lines: lines + lines[-1:]])
def test_lines_of_the_ledger_cannot_go_or_come(
    lossrun: Run, run: Path, cut: Callable[[list[bytes]], list[bytes]]
) -> None:
    """Without its last line the run has simply not ended: no result is shown of one that has."""
    path = run / "ledger.jsonl"
    path.write_bytes(b"".join(cut(path.read_bytes().splitlines(keepends=True))))
    result = lossrun("show", "first")
    assert result.code == 4 or "interrupted" in result.out
    assert "test_rmse" not in result.out


def test_a_damaged_run_can_be_removed(lossrun: Run, run: Path) -> None:
    flipped(run / "ledger.jsonl", 40)
    assert lossrun("show", "first").code == 4
    assert lossrun("rm", "first", "--yes").code == 0
    assert not run.exists()
    assert lossrun("ls").code == 0


def test_what_is_left_of_a_history_is_held_against_the_checkpoints(lossrun: Run, run: Path) -> None:
    """A history that has lost its last rows is reported; one that was also changed is refused."""
    path = run / "history.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-2]))
    assert lossrun("show", "first").code == 0
    flipped(path, DIGIT["history.jsonl"](path.read_bytes()))
    shown = lossrun("show", "first")
    assert (shown.code, "history.jsonl" in shown.err) == (4, True)


def test_a_finished_history_has_no_more_rows(lossrun: Run, run: Path) -> None:
    path = run / "history.jsonl"
    content = path.read_bytes()
    path.write_bytes(content + content.splitlines(keepends=True)[-1])
    for name, result in commands(lossrun, run).items():
        assert (name, result.code) == (name, 0 if name in ("ls", "compare") else 4)
        assert "history.jsonl: it is longer than" in " ".join((result.out + result.err).split())


def test_one_row_that_is_lost_is_told_of_everywhere(lossrun: Run, run: Path) -> None:
    path = run / "history.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    for name, result in commands(lossrun, run).items():
        if name in ("show", "compare", "ls"):
            assert "seed 1 has 2 of 3 epochs left" in " ".join((result.out + result.err).split()), name


def test_a_ledger_that_is_gone_does_not_make_a_run_an_old_one(lossrun: Run, run: Path) -> None:
    """Runs of versions without digests are believed; this one has only lost them."""
    (run / "ledger.jsonl").unlink()
    for name, result in commands(lossrun, run).items():
        assert (name, result.code) == (name, 0 if name in ("ls", "compare") else 4)
        assert "ledger.jsonl is missing" in " ".join((result.out + result.err).split())


def test_a_finished_run_without_its_data_is_simply_finished(lossrun: Run, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,y\n" + "".join(f"{i},{i}.5\n" for i in range(40)))
    (tmp_path / "table.yaml").write_text(
        "dataset: {name: csv, path: t.csv, target: y}\nmodel: linear\nloss: mse\noptimizer: sgd\nlearning_rate: 1e-6\n"
        "epochs: 1\n"
    )
    assert lossrun("train", "table.yaml", "--quiet").code == 0
    (tmp_path / "t.csv").unlink()
    assert "is finished" in lossrun("resume", "last").err
    refused = lossrun("resume", "last", "--set", "epochs=2")
    assert (refused.code, "--set dataset.path=FILE" in " ".join(refused.err.split())) == (3, True)

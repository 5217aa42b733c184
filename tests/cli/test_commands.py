"""Each command as a person types it: what it prints, where, and its exit code."""

import csv
import io
import json
import warnings
from pathlib import Path

import pytest
import yaml

from lossrun.arguments import LISTS
from lossrun.catalog import COMPONENTS
from tests.cli.conftest import CONFIG, Run


def test_train_resume_compare(lossrun: Run, config: Path, tmp_path: Path) -> None:
    first = lossrun("train", "config.yaml")
    assert first.code == 0
    header, *rows = first.out.splitlines()
    assert header.split()[:3] == ["epoch", "train_loss", "val_loss"]
    assert [row.split()[0] for row in rows] == ["1/3", "2/3", "3/3"]
    assert any("*" in row for row in rows)
    for word in (
        "72 training, 8 validation, 20 test samples",
        "mse",
        "adam",
        "cpu",
        "runs/",
        "21",
        "best epoch",
        "resume",
    ):
        assert word in first.err

    assert lossrun("train", "config.yaml", "--set", "loss=huber", "--name", "robust").code == 0
    finished = lossrun("resume", "robust")
    assert finished.code == 0
    assert "is finished" in finished.err
    extended = lossrun("resume", "robust", "--set", "epochs=4")
    assert extended.code == 0
    assert extended.out.splitlines()[-1].split()[0] == "4/4"

    compared = lossrun("compare", "last~1", "last")
    assert compared.code == 0
    for word in ("mse", "huber", "val_rmse", "not ranked"):
        assert word in compared.out
    as_json = json.loads(lossrun("compare", "last~1", "last", "--format", "json").out)
    assert len(as_json["runs"]) == 2
    assert any("trained further" in remark for remark in as_json["runs"][1]["remarks"])
    rows_of_csv = list(csv.DictReader(io.StringIO(lossrun("compare", "last~1", "last", "--format", "csv").out)))
    assert {row["metric"] for row in rows_of_csv} >= {"val_rmse", "test_mae"}
    assert "| --- |" in lossrun("compare", "last~1", "last", "--format", "md").out

    listed = lossrun("ls")
    assert listed.out.count("finished") == 2
    shown = lossrun("show", "robust")
    assert "huber" in shown.out
    assert "resumed" in shown.out


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ("--epochs=5", "use --set epochs=..."),
        ("--lr=0.1", "use --set learning_rate=..."),
        ("--batch-size=8", "use --set batch_size=..."),
        ("--qiet", "--quiet"),
        ("epochs=5", "for keys of the config, use --set epochs=5"),
    ],
)
def test_a_key_of_the_config_given_as_an_option(lossrun: Run, config: Path, option: str, expected: str) -> None:
    result = lossrun("train", "config.yaml", option)
    assert result.code == 2
    assert expected in " ".join(result.err.replace("│", " ").split())


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("help", "Write lossrun --help or lossrun COMMAND --help."),
        ("config.yaml", "To train this config: lossrun train config.yaml"),
        ("quickstart", "To train this config: lossrun train quickstart"),
    ],
)
def test_a_word_that_is_not_a_command_is_answered(lossrun: Run, word: str, expected: str) -> None:
    result = lossrun(word)
    assert result.code == 2
    assert expected in " ".join(result.err.replace("│", " ").split())


def test_quiet_prints_the_run_directory_alone(lossrun: Run, config: Path) -> None:
    result = lossrun("train", "config.yaml", "--quiet", "--runs-dir", "elsewhere")
    assert result.err == ""
    (line,) = result.out.splitlines()
    assert Path(line, "history.jsonl").is_file()
    assert Path(line).parent == Path("elsewhere")
    # Nor does it say what a name was taken to mean: a config that comes with lossrun, the newest run.
    packaged = ("tiny-net", "--set", "epochs=1", "--quiet")
    for command in (("train", *packaged), ("resume", "last", "--set", "epochs=2", "--quiet")):
        assert lossrun(*command).err == "", command


def test_a_cosine_run_extended_says_that_it_differs(lossrun: Run, config: Path) -> None:
    assert lossrun("train", "config.yaml", "--set", "schedule=cosine").code == 0
    result = lossrun("resume", "last", "--set", "epochs=5")
    assert result.code == 0
    assert "the result differs from that of a run of 5 epochs" in result.err


def test_check_prints_the_resolved_config_and_trains_nothing(lossrun: Run, config: Path, tmp_path: Path) -> None:
    result = lossrun("check", "config.yaml", "--set", "optimizer=keras.Adam")
    assert result.code == 0
    resolved = yaml.safe_load(result.out)
    assert resolved["optimizer"]["eps"] == 1e-7
    assert resolved["model"]["output"] == "none"
    assert resolved["best"] == {"metric": "val_loss", "mode": "min"}
    assert "keras.Adam is adam with eps: 1e-07" in result.err
    assert not (tmp_path / "runs").exists()
    (tmp_path / "resolved.yaml").write_text(result.out)
    assert lossrun("check", "resolved.yaml").out == result.out


@pytest.mark.parametrize(
    ("loss", "said"),
    [
        ("own_focal:fcal", "own_focal.py has no fcal; did you mean focal?"),
        ("{name: 'own_focal:focal', gama: 3}", "there is no parameter gama; did you mean gamma?"),
    ],
)
def test_check_looks_at_what_is_the_users_own(lossrun: Run, config: Path, loss: str, said: str) -> None:
    (config.parent / "own_focal.py").write_text("def focal(outputs, targets, gamma=2.0):\n    return outputs\n")
    result = lossrun("check", "config.yaml", "--set", f"loss={loss}")
    assert result.code == 2
    assert said in result.err


def test_check_says_that_all_is_well(lossrun: Run, config: Path) -> None:
    assert "note: no problems found. Next:\n  lossrun train config.yaml\n" in lossrun("check", "config.yaml").err


def test_check_does_without_the_data_where_it_can(lossrun: Run, config: Path) -> None:
    result = lossrun(
        "check", "config.yaml", "--set", "dataset=mnist", "--set", "loss=cross_entropy", "--data-dir", "no"
    )
    assert result.code == 0
    assert yaml.safe_load(result.out)["dataset"]["name"] == "mnist"
    assert "54,000 training, 6,000 validation, 10,000 test samples" in result.err
    assert "checked without the data: mnist: train-images-idx3-ubyte.gz" in result.err


def test_a_mistake_in_the_config_is_told_before_a_download(lossrun: Run, config: Path) -> None:
    result = lossrun("train", "config.yaml", "--set", "dataset=mnist", "--set", "loss=huber", "--data-dir", "no")
    assert result.code == 2
    assert "loss_task" in result.err


def test_list_schema_new(lossrun: Run, tmp_path: Path) -> None:
    assert set(LISTS.values()) == {*COMPONENTS, "rule", "diagnosis"}
    for kind in LISTS:
        assert lossrun("list", kind).code == 0
        assert all(entry["name"] for entry in json.loads(lossrun("list", kind, "--json").out))
    assert lossrun("list", "loss").out == lossrun("list", "losses").out
    wrong = lossrun("list", "lesson")
    assert (wrong.code, wrong.out) == (2, "")
    assert "expected one of losses, optimizers, models" in wrong.err
    assert "cross_entropy" in lossrun("list", "losses", "--task", "multiclass").out
    assert "huber" not in lossrun("list", "losses", "--task", "multiclass").out
    assert "dataset" in json.loads(lossrun("schema").out)["properties"]
    for template in ("regression", "classification"):
        assert lossrun("new", template, "--output", f"{template}.yaml").code == 0
    assert "the target of your own file into it, then:\n" in lossrun("new", "table", "--output", "table.yaml").err
    assert "lossrun sweep s.yaml\n" in lossrun("new", "sweep-quick", "--output", "s.yaml").err
    again = lossrun("new", "regression", "--output", "regression.yaml")
    assert again.code == 2
    assert "already exists" in again.err
    assert lossrun("new", "regresion", "-o", "-").err.count("did you mean regression?") == 1
    trained = lossrun("train", "regression.yaml", "--set", "epochs=1", "--set", "seeds=2")
    assert trained.code == 0
    assert "±" in trained.out or "+-" in trained.out


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("train", "nothing.yaml"), 2, "no such file"),
        (("train", "config.yaml", "--set", "nonsense"), 2, "not KEY=VALUE"),
        (("train", "config.yaml", "--set", "los=mse"), 2, "did you mean loss?"),
        (("train", "config.yaml", "--set", "loss=cross_entropy"), 2, "loss_task"),
        (("train", "config.yaml", "--set", "dataset={name: csv, path: none.csv, target: y}"), 3, "none.csv"),
        (
            ("train", "config.yaml", "--set", "dataset=mnist", "--set", "model=linear", "--data-dir", "empty"),
            3,
            "train-images-idx3-ubyte.gz",
        ),
        (("train", "config.yaml", "--set", "model=not_there:net"), 2, "no module not_there"),
        (("train", "config.yaml", "--set", "device=mps"), 2, "device"),
        (("train", "config.yaml", "--set", "compare_on=accuracy"), 2, "compared_metric"),
        (("train", "config.yaml", "--set", "best=val_binary_cross_entropy"), 2, "cannot be used"),
        (("train", "config.yaml", "--set", "learning_rate=1e9", "--set", "optimizer=sgd"), 6, "diverged in epoch"),
        (("train", "config.yaml", "--runs-dir", "config.yaml"), 2, "config.yaml"),
        (("resume", "nothing"), 4, "no run nothing"),
        (("show", "last"), 4, "last"),
        (("compare", "last"), 2, "at least two"),
        (("list", "losses", "--task", "guessing"), 2, "expected one of"),
        (("trian", "config.yaml"), 2, "Did you mean 'train'"),
    ],
)
def test_mistakes_end_in_one_message_and_their_exit_code(
    lossrun: Run, config: Path, tmp_path: Path, arguments: tuple[str, ...], code: int, message: str
) -> None:
    result = lossrun(*arguments)
    assert result.code == code, result.err
    assert message in " ".join(result.err.split())
    assert "Traceback" not in result.err
    if code != 6:
        assert not (tmp_path / "runs").exists()


def test_a_locked_run_says_who_holds_it(lossrun: Run, config: Path, tmp_path: Path) -> None:
    from lossrun.records.lock import writing

    assert lossrun("train", "config.yaml").code == 0
    (run,) = (tmp_path / "runs").iterdir()
    with writing(run):
        result = lossrun("resume", "last", "--set", "epochs=5")
    assert result.code == 5
    assert "process" in result.err


def test_the_python_interface_is_the_same_run(config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import lossrun

    monkeypatch.chdir(tmp_path)
    run = lossrun.train("config.yaml")
    same = lossrun.train(yaml.safe_load(CONFIG), overrides=["name=same"])
    values = [[row["val_loss"] for row in one.history.rows] for one in (run, same)]
    assert values[0] == values[1]
    newest = max((run.path / "checkpoints").glob("step-*"))
    newest.write_bytes(b"damaged")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        longer = lossrun.resume(run, overrides=["epochs=4"])
    first, second, *_ = (str(warning.message) for warning in told)
    assert first.startswith(f"checkpoint skipped: {newest.name}")
    assert "those epochs are trained again" in second
    assert longer.history.rows[-1]["epoch"] == 4
    assert lossrun.load("same").status == "finished"
    assert lossrun.compare(longer, same).comparable


@pytest.mark.filterwarnings("ignore:epoch 3.*:UserWarning")  # such a short run ends poorly
def test_own_code_that_nothing_has_imported_yet_is_trained_from_python(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import lossrun

    monkeypatch.chdir(tmp_path)
    (tmp_path / "imported_by_training_alone.py").write_text(
        "import torch\n\n\ndef net(input_shape, output_size):\n    return torch.nn.Linear(*input_shape, output_size)\n"
    )
    run = lossrun.train("config.yaml", overrides={"model": "imported_by_training_alone:net"})
    assert run.status == "finished"


def test_what_the_screen_says_of_a_run_is_a_warning_in_python(lossrun: Run, tmp_path: Path) -> None:
    """Of its config, its data, the rules and its epochs: one of each, in the words of the screen."""
    import lossrun as in_python

    rows = "".join(f"{'' if i == 5 else 100 * i},{'ab'[i % 2]},{100 + i / 7}\n" for i in range(60))
    (tmp_path / "t.csv").write_text("x,c,y\n" + rows)
    (tmp_path / "config.yaml").write_text(
        "dataset: {name: csv, path: t.csv, target: y, missing: drop, encode: one_hot}\nmodel: mlp\n"
        "loss: mse\noptimizer: keras.Adam\nlearning_rate: 1e-6\nepochs: 3\n"
    )
    screen = "".join(lossrun("train", "config.yaml").err.split())
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        in_python.train("config.yaml")
    told = [str(one.message) for one in caught]
    assert [text for text in told if "".join(text.split()) not in screen] == []
    for kind in ("optimizer: keras.Adam is", "1 row with empty cells dropped", "[unscaled_inputs]", "epoch 3: "):
        assert any(kind in text for text in told), kind
    assert {one.filename for one in caught} == {__file__}
    assert "columncone-hotencodedas2inputs" in screen
    assert not any("one-hot" in text for text in told)


def test_the_data_folder_of_a_run_is_remembered(
    lossrun: Run, config: Path, tmp_path: Path, mnist_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ("--set", "dataset={name: mnist, validation: 59000}", "--set", "loss=cross_entropy", "--set", "epochs=1")
    assert lossrun("train", "config.yaml", *options, "--data-dir", str(mnist_dir)).code == 0
    monkeypatch.delenv("LOSSRUN_DATA_DIR", raising=False)
    assert lossrun("resume", "last", "--set", "epochs=2").code == 0


@pytest.mark.parametrize("command", ["check", "train"])
def test_each_problem_of_a_table_is_an_error_of_its_own(lossrun: Run, tmp_path: Path, command: str) -> None:
    (tmp_path / "t.csv").write_text("size;share;price\n" + "".join(f"{i},5;{i}%;{i},25\n" for i in range(30)))
    dataset = "{name: csv, path: t.csv, target: price, delimiter: ;}"
    (tmp_path / "c.yaml").write_text(CONFIG.replace(CONFIG.splitlines()[0], f"dataset: {dataset}"))
    ended = lossrun(command, "c.yaml")
    assert ended.code == 3
    columns = [line.partition(": column ")[2].partition(":")[0] for line in ended.err.splitlines()]
    assert columns == ["size", "share", "price"]
    assert all(line.startswith("error: ") for line in ended.err.splitlines())

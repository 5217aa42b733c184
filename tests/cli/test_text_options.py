"""Options that take text take it unchanged, byte for byte."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

import lossrun as package
from lossrun.config import from_mapping, read
from lossrun.errors import ConfigError
from lossrun.records.files import config_file
from tests.cli.conftest import CONFIG, Run

TEXTS = ["2024", "007", "1e3", "0x10", "1_000", "true", "null", "~", "yes", "on", "2024-01-02", "12:30", "a #b", "#",
         "[x]", "{a: b}",
         "a: b", "'quoted'", '"x', "*", "&a", "!b", "größe", "last", "a ", " a", "-x", "a=b", "=", "| x",
         "a/b"]  # fmt: skip


@pytest.mark.parametrize("text", TEXTS)
def test_a_name_and_a_tag_are_the_text_itself(lossrun: Run, config: Path, tmp_path: Path, text: str) -> None:
    config.write_text(CONFIG.replace("epochs: 3", "epochs: 1") + "tags: [first]\n")
    result = lossrun("train", "config.yaml", f"--name={text}", f"--tag={text}", "--tag", "b", "--quiet")
    assert result.code == 0, result.err
    run = tmp_path / result.out.strip()
    recorded = config_file.read(run / "config.yaml")
    assert (recorded["name"], recorded["tags"]) == (text, ["first", text, "b"])
    rows = json.loads(lossrun("ls", f"--tag={text}", "--format", "json").out)
    assert [row["run"] for row in rows] == [run.name]
    # Blanks around a value of --where are none of it.
    if text not in ("=", "a ", " a"):
        assert json.loads(lossrun("ls", "--where", f"tags={text}", "--format", "json").out)
    if text not in ("*", "~", "null", "=", "a ", " a"):
        assert len(json.loads(lossrun("ls", "--where", f"name={text}", "--format", "json").out)) == 1
    if text != "-x":
        shown = lossrun("show", text)
        assert (shown.code, run.name in shown.out) == (0, True), shown.err


def test_a_name_is_not_taken_for_another_that_leaves_the_same_letters(lossrun: Run, config: Path) -> None:
    names = ("a b", "a-b", "\u4e2d\u56fd", "\u65e5\u672c")
    runs = {
        name: lossrun("train", "config.yaml", "--name", name, "--set", "epochs=1", "--quiet").out.strip()
        for name in names
    }
    for name in ("a b", "\u4e2d\u56fd", "\u65e5\u672c"):
        assert Path(runs[name]).name in lossrun("show", name).out
    assert lossrun("show", "\u9999\u6e2f").code == 4


@pytest.mark.parametrize("option", ["--name", "--tag"])
@pytest.mark.parametrize("text", ["", " "])
def test_an_empty_text_is_refused(lossrun: Run, config: Path, option: str, text: str) -> None:
    result = lossrun("train", "config.yaml", option, text)
    assert result.code == 2
    assert f"{option} '{text}': the text is empty" in result.err


@pytest.mark.parametrize("option", ["--runs-dir", "--data-dir"])
def test_an_empty_folder_is_not_the_current_one(lossrun: Run, config: Path, option: str) -> None:
    """It is what an unset variable of a shell leaves."""
    result = lossrun("train", "config.yaml", option, "")
    assert result.code == 2
    assert "the name is empty" in " ".join(result.err.replace("│", " ").split())
    assert not list(config.parent.glob("2*"))


# What is there -> what is said of it as a folder.
NO_FOLDERS = {
    "c.yaml": "c.yaml is not a folder",
    "c.yaml/deeper": "c.yaml/deeper cannot be used: Not a directory",
    "/dev/null": "/dev/null is not a folder",
    "loop": "loop cannot be used: Too many levels of symbolic links",
    "x" * 300: "cannot be used: File name too long",
}


@pytest.mark.parametrize("option", ["--runs-dir", "--data-dir"])
@pytest.mark.parametrize("named", NO_FOLDERS)
def test_what_cannot_be_a_folder_is_refused_before_anything_is_read(
    lossrun: Run, tmp_path: Path, option: str, named: str
) -> None:
    (tmp_path / "c.yaml").write_text(CONFIG)
    (tmp_path / "loop").symlink_to("loop")
    result = lossrun("train", "c.yaml", option, named)
    assert (result.code, result.out) == (2, "")
    assert NO_FOLDERS[named] in " ".join(result.err.replace("\u2502", " ").split())


@pytest.mark.parametrize("way", ["=", "environment", "python"])
def test_a_tilde_is_the_home_directory_also_where_the_shell_leaves_it(
    lossrun: Run, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    if way == "environment":
        monkeypatch.setenv("LOSSRUN_RUNS_DIR", "~/my runs")
    if way == "python":
        run = package.train(config, runs_dir="~/my runs", overrides="epochs=1")
        assert package.load(f"~/my runs/{run.name}").status == "finished"
    else:
        options = ["--runs-dir=~/my runs"] if way == "=" else []
        assert lossrun("train", "config.yaml", "--set", "epochs=1", *options).code == 0
    assert len(list((home / "my runs").iterdir())) == 1
    assert not (tmp_path / "~").exists()


# Options and arguments that name a file or a folder, in commands that are run in this order.
NAMED = [
    ["new", "--output=~/new.yaml"],
    ["check", "~/c.yaml"],
    ["script", "~/c.yaml", "--as", "pytorch", "--output=~/script.py"],
    ["train", "~/c.yaml", "--runs-dir=~/runs", "--data-dir=~/data", "--name", "a"],
    ["train", "c.yaml", "--set", "dataset.path=~/x.csv", "--runs-dir=~/runs", "--name", "b"],
    ["resume", "~/runs/*-a", "--set", "epochs=2"],
    ["show", "~/runs/*-a"],
    ["ls", "--runs-dir=~/runs"],
    ["evaluate", "~/runs/*-b", "--per-sample=~/scores.csv"],
    ["predict", "~/runs/*-b", "--input=~/x.csv", "--output=~/predicted.csv"],
    ["export", "~/runs/*-b", "--output=~/exported"],
    ["compare", "~/runs/*-a", "~/runs/*-b", "--html=~/report.html"],
    ["manual", "--output=~/manual.html"],
    ["verify", "~/runs/*-b"],
    ["rm", "~/runs/*-b", "--runs-dir=~/runs", "--yes"],
]


def test_a_tilde_is_the_home_directory_wherever_a_file_is_named(
    lossrun: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    (home / "x.csv").write_text("a,b,y\n" + "".join(f"{n / 40},{n % 7},{n / 10}\n" for n in range(40)))
    text = (
        "dataset: {name: csv, path: PATH, target: y}\nmodel: {name: mlp, hidden: [2]}\nloss: mse\n"
        "optimizer: adam\nlearning_rate: 0.01\nepochs: 1\n"
    )
    (home / "c.yaml").write_text(text.replace("PATH", "~/x.csv"))
    (tmp_path / "c.yaml").write_text(text.replace("PATH", "elsewhere.csv"))
    for command in NAMED:
        done = lossrun(*command)
        assert (command, done.code, done.err if done.code else "") == (command, 0, "")
    written = {"new.yaml", "script.py", "scores.csv", "predicted.csv", "report.html", "manual.html"}
    assert written <= {path.name for path in home.iterdir()}
    assert len(list((home / "exported").iterdir())) == 3
    assert len(list((home / "runs").iterdir())) == 1
    assert [path.name for path in tmp_path.iterdir() if path.name not in ("home", "c.yaml")] == []


@pytest.mark.parametrize("option", ["--html", "--output", "--input", "--per-sample", "--tensorboard"])
def test_a_file_needs_a_name_and_a_tilde_a_home(lossrun: Run, option: str, monkeypatch: pytest.MonkeyPatch) -> None:
    command = {"--html": "compare", "--output": "plot", "--input": "predict", "--per-sample": "evaluate"}
    monkeypatch.setattr("os.path.expanduser", str)  # as without a home directory
    for text, told in {"": "the name is empty", "~/x.csv": "there is no home directory"}.items():
        refused = lossrun(command.get(option, "train"), "a", f"{option}={text}")
        assert (refused.code, told in " ".join(refused.err.replace("\u2502", " ").split())) == (2, True), refused.err


def test_a_name_that_begins_with_a_tilde_is_a_name(lossrun: Run, tmp_path: Path) -> None:
    """As in a shell, where no user is called so."""
    (tmp_path / "~old.yaml").write_text(CONFIG.replace("epochs: 3", "epochs: 1"))
    assert lossrun("check", "~old.yaml").code == 0


CSV = {"dataset": {"name": "csv", "path": "x.csv", "target": "y"}, "model": "mlp", "loss": "mse", "optimizer": "adam",
       "learning_rate": 0.1}  # fmt: skip


@pytest.mark.parametrize(
    ("option", "key", "value"),
    [
        ("name=2024", "name", "2024"),
        ("name=a #b", "name", "a #b"),
        ("name=a: b", "name", "a: b"),
        ("name=[x]", "name", "[x]"),
        ("name='2024'", "name", "2024"),  # in quotes it is YAML
        ('name="a\\tb"', "name", "a\tb"),
        ("name='a' or 'b'", "name", "'a' or 'b'"),
        ("name=null", "name", None),  # restores the default, as for every key
        ("name='null'", "name", "null"),
        ("name=on ", "name", "on "),
        ("name = a", "name", "a"),
        ("tags=[2024, 007, a]", "tags", ("2024", "007", "a")),
        ("compare_on=1e3", "compare_on", "1e3"),
        ("best.metric=on", "best.metric", "on"),
        ("early_stopping.metric=0x10", "early_stopping.metric", "0x10"),
        ("dataset.target=1", "dataset.target", 1),  # a place, or the column called so
        ("dataset.target='1'", "dataset.target", "1"),
        ("dataset.target=007", "dataset.target", "007"),
        ("dataset.target=1e3", "dataset.target", "1e3"),
        ("dataset.target=on", "dataset.target", "on"),
        ("dataset.target=2024-01-02", "dataset.target", "2024-01-02"),
        ("dataset.target=[1, 02]", "dataset.target", [1, "02"]),
        ("dataset.inputs=[1, true]", "dataset.inputs", [1, "true"]),
        ("dataset.drop=[1, 1.50]", "dataset.drop", [1, "1.50"]),
        ("dataset.path=2024", "dataset.path", "2024"),
        ("dataset.path=a #b: c.csv", "dataset.path", "a #b: c.csv"),
        ("dataset.delimiter=#", "dataset.delimiter", "#"),
        ("dataset.delimiter=|", "dataset.delimiter", "|"),
        ("dataset.delimiter= ", "dataset.delimiter", " "),
        ("loss.ignore_index=a #b: c", "loss.ignore_index", "a #b: c"),
        ("loss.ignore_index=3", "loss.ignore_index", 3),
        ("loss.ignore_index=true", "loss.ignore_index", "true"),
        ("dataset.missing_values=[NA, 999, null, -]", "dataset.missing_values", ["NA", 999, "null", "-"]),
        ("dataset.split.column=1", "dataset.split.column", 1),
        ("dataset.split.groups=a #b", "dataset.split.groups", "a #b"),
        ("learning_rate=1e3", "learning_rate", 1000.0),  # elsewhere YAML 1.2
        ("epochs=010", "epochs", 10),
        ("dataset.validation=0x10", "dataset.validation", 16),
    ],
)
def test_keys_that_hold_text_take_it_as_it_is_written(option: str, key: str, value: object) -> None:
    base = {**CSV, "loss": "cross_entropy"} if key.startswith("loss") else CSV
    config = from_mapping(base, Path(), [option, *(["dataset.validation=0.1"] if "validation" not in option else [])])
    found = config.config.to_mapping()
    for part in key.split("."):
        found = found[part]
    assert (tuple(found) if isinstance(value, tuple) else found) == value


def test_a_column_is_no_number_before_its_dataset_is_named() -> None:
    base = {**CSV, "dataset": "mnist"}
    options = ["dataset.target=01", "dataset.path=7", "dataset.name=csv"]
    dataset = from_mapping(base, Path(), options).config.dataset
    assert (dataset["target"], dataset["path"]) == ("01", "7")


@pytest.mark.parametrize("name", ["name=\x1b[31m", "name=a\x00b", "tags=[\u200b\udc80]"])
def test_what_no_file_could_hold_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=r"only printable ones are allowed"):
        from_mapping(CSV, Path(), [name])


@pytest.mark.filterwarnings("ignore:epoch 1.*:UserWarning")  # such short runs end poorly
def test_python_gives_values_as_they_are(tmp_path: Path) -> None:
    """numpy's numbers, paths, tuples and texts; NaN is refused in words and not as a mistake of YAML."""
    changes = {
        "name": "2024",
        "learning_rate": np.float64(0.015625),
        "epochs": np.int64(1),
        "model.hidden": (np.int32(4), 3),
        "model.batch_norm": np.bool_(False),
        "seeds": range(2),
        "tags": ("007", "yes"),
    }
    base = {**yaml.safe_load(CONFIG), "model": {"name": "mlp", "hidden": np.array([2, 2])}}
    run = package.train(base, overrides=changes, runs_dir=tmp_path)
    assert run.config["name"] == "2024"
    assert run.config["tags"] == ["007", "yes"]
    assert (run.config["learning_rate"], run.config["model"]["hidden"], run.seeds) == (0.015625, [4, 3], (0, 1))
    with pytest.raises(ConfigError, match=r"overrides\['learning_rate'\]: learning_rate: nan is not a finite number"):
        package.train(base, overrides={"learning_rate": float("nan")})
    table = tmp_path / "1.csv"
    table.write_text("a,1\n" + "\n".join(f"{n},{2 * n}" for n in range(30)))
    data = {"name": "csv", "path": table, "target": "1"}
    assert package.train({**base, "dataset": data}, overrides={"epochs": 1}, runs_dir=tmp_path).config["dataset"][
        "path"
    ] == str(table)


def test_a_tag_twice_is_one_and_a_mistake_in_the_file_stays_the_files(config: Path) -> None:
    from lossrun.config import text_option

    config.write_text(CONFIG + "tags: [a]\n")
    twice = [text_option("--tag", "tags", "a", adds=True)] * 2
    assert read(config, twice).config.tags == ("a",)
    config.write_text(CONFIG + "tags: a\n")
    with pytest.raises(ConfigError, match=r"config.yaml:7:7: tags: 'a' is a string"):
        read(config, twice)

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from lossrun.errors import RunError
from lossrun.records.files import config_file, durable
from lossrun.records.names import slug
from lossrun.records.run_directory import all_runs, create, file_contents

WHEN = datetime(2026, 11, 21, 1, 45, tzinfo=UTC)


def make(runs_dir: Path, name: str, minutes: int = 0) -> Path:
    return create(runs_dir, name, file_contents({"loss": {"name": "mse"}}, {}), when=WHEN + timedelta(0, minutes)).path


def test_a_run_directory_is_named_by_time_and_name_and_holds_its_two_files(tmp_path):
    run = create(
        tmp_path / "runs",
        "MNIST mlp",
        file_contents({"dataset": {"name": "mnist"}, "learning_rate": 1e-5}, {"threads": 2, "share": float("inf")}),
        when=datetime.fromisoformat("2026-11-21T02:45:00+01:00"),
    )
    assert run.path == tmp_path / "runs" / "20261121-014500-mnist-mlp"
    assert sorted(path.name for path in run.path.iterdir()) == ["checkpoints", "config.yaml", "run.json"]
    text = run.config_path.read_text()
    assert text.startswith("# ")
    assert text.index("dataset") < text.index("learning_rate")
    assert config_file.read(run.config_path) == {"dataset": {"name": "mnist"}, "learning_rate": 1e-5}
    assert run.run_json.read_text() == '{\n  "threads": 2,\n  "share": "inf"\n}\n'


def test_nothing_else_is_left_beside_a_new_directory(tmp_path):
    make(tmp_path, "a")
    assert [path.name for path in tmp_path.iterdir()] == ["20261121-014500-a"]


def test_a_taken_name_gets_a_number(tmp_path):
    assert [make(tmp_path, "a").name for _ in range(3)] == [
        "20261121-014500-a",
        "20261121-014500-a-2",
        "20261121-014500-a-3",
    ]


def test_a_write_that_fails_leaves_nothing_behind(tmp_path, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(durable, "write", full)
    with pytest.raises(RunError, match="No space left on device"):
        make(tmp_path, "a")
    assert list(tmp_path.iterdir()) == []


def test_runs_dir_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "runs").write_text("")
    with pytest.raises(RunError, match="--runs-dir"):
        make(tmp_path / "runs", "a")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("MNIST mlp/adam", "mnist-mlp-adam"),
        ("Übung 1", "ubung-1"),
        ("../../etc", "etc"),
        ("损失", "run"),
        ("a_b.c-d", "a_b.c-d"),
    ],
)
def test_a_name_becomes_a_safe_folder_name(text, expected):
    assert slug(text) == expected


@given(st.text())
def test_a_slug_is_a_safe_file_name_and_its_own_slug(text):
    result = slug(text)
    assert result
    assert set(result) <= set("abcdefghijklmnopqrstuvwxyz0123456789._-")
    assert not result.startswith(".")
    assert slug(result) == result


scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
trees = st.recursive(scalars, lambda child: st.lists(child) | st.dictionaries(st.text(), child), max_leaves=8)


@settings(max_examples=40)
@given(st.dictionaries(st.text(min_size=1), trees))
def test_a_config_reads_back_as_it_was(tmp_path_factory, config):
    path = tmp_path_factory.mktemp("config") / "config.yaml"
    path.write_text(config_file.dumps(config), encoding="utf-8")
    assert config_file.read(path) == config


@pytest.mark.parametrize(
    "name", ["a\u202eb", "\u200b", "\x1b[31m", "\x85", "\u2028", "\ufeff", "\U000e0001", "x \u202e" * 60]
)
def test_what_no_screen_shows_as_itself_is_escaped_in_a_config(name: str) -> None:
    config = {"name": name, "tags": [name], name: 1}
    text = config_file.dumps(config)
    assert text.replace("\n", "").isprintable()
    assert config_file.parsed(Path("config.yaml"), text.encode()) == config


def test_a_config_has_no_anchors_and_quotes_words_that_look_like_numbers():
    betas = [0.9, 0.999]
    text = config_file.dumps({"a": betas, "b": betas, "name": "1e-3", "octal": "0o7"})
    assert "&" not in text
    assert "name: '1e-3'" in text
    assert "octal: '0o7'" in text
    assert yaml.safe_load(text)["b"] == betas


def test_a_damaged_config_is_named(tmp_path):
    (tmp_path / "config.yaml").write_text("a: [1")
    with pytest.raises(RunError, match=r"config\.yaml"):
        config_file.read(tmp_path / "config.yaml")


def test_all_runs_are_oldest_first_and_only_runs(tmp_path):
    late, early = make(tmp_path, "a", minutes=5), make(tmp_path, "z")
    (tmp_path / "notes").mkdir()
    (tmp_path / ".20261121-014500-x.0000.tmp").mkdir()
    assert all_runs(tmp_path) == [early, late]
    assert all_runs(tmp_path / "nowhere") == []


def test_runs_of_one_second_keep_the_order_they_were_made_in(tmp_path):
    runs = [make(tmp_path, name) for name in ("z", "a", "z")]
    assert all_runs(tmp_path) == runs

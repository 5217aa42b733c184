"""The labels of runs that are compared."""

import re
from pathlib import Path

import pytest

from lossrun.analysis.comparison.differences import config_differences
from lossrun.analysis.comparison.labels import labels, named_by_user
from lossrun.errors import UsageError

HUBER = {"name": "huber", "delta": 1.0, "reduction": "mean"}
CSV = {"name": "csv", "path": "/data/a.csv"}


def line(*_):
    return {"train_loss": 1.0, "val_loss": 1.0}


def label(*runs):
    return labels(runs, config_differences([run.config for run in runs]))


def test_labels_are_what_differs(make_run):
    runs = [make_run("a", rows=line), make_run("b", rows=line, config={"loss": HUBER, "learning_rate": 0.01})]
    assert label(*runs) == ("loss=mse, lr=0.1", "loss=huber, lr=0.01")


def test_labels_show_parameters_where_names_do_not_tell_apart(make_run):
    runs = [make_run("a", rows=line, config={"loss": {**HUBER, "delta": delta}}) for delta in (1.0, 2.0)]
    assert label(*runs) == ("loss.delta=1.0", "loss.delta=2.0")


def test_what_follows_from_the_loss_is_left_out_of_labels(make_run):
    model = {"name": "mlp", "hidden": [100], "output": "sigmoid"}
    assert label(make_run("a", rows=line), make_run("b", rows=line, config={"loss": HUBER, "model": model})) == (
        "loss=mse",
        "loss=huber",
    )
    assert label(make_run("c", rows=line), make_run("d", rows=line, config={"model": model})) == (
        "model.output=none",
        "model.output=sigmoid",
    )


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"learning_rate": 0.5, "epochs": 3, "batch_size": 7, "loss": HUBER},
         ("loss=mse, lr=0.1, batch_size=-", "loss=huber, lr=0.5, batch_size=7")),
        ({"dataset": CSV, "seeds": [7], "learning_rate": 0.5},
         ("lr=0.1, dataset=synthetic_regression", "lr=0.5, dataset=csv")),
        ({"seeds": [7]}, ("seeds=[0]", "seeds=[7]")),
        ({"seeds": [7], "precision": "bf16"}, ("precision=-", "precision=bf16")),
        ({"device": "cpu"}, ("device=-", "device=cpu")),
    ],
)  # fmt: skip
def test_the_most_telling_keys_come_first(make_run, change, expected):
    assert label(make_run("a", rows=line), make_run("b", rows=line, config=change)) == expected


def test_many_keys_are_cut_to_those_that_tell_the_runs_apart(make_run):
    """Five keys differ, and no three of the first tell all four runs apart: the batch size has to be among them."""
    grid = [
        {"loss": loss, "learning_rate": rate, "epochs": 4 + place, "batch_size": size, "shuffle": bool(place)}
        for place, (loss, rate, size) in enumerate(
            [(HUBER, 0.1, 8), (HUBER, 0.1, 16), (HUBER, 0.2, 8), ({"name": "mse"}, 0.2, 8)]
        )
    ]
    found = label(*(make_run(f"r{i}", rows=line, config=config) for i, config in enumerate(grid)))
    assert found == (
        "loss=huber, lr=0.1, batch_size=8",
        "loss=huber, lr=0.1, batch_size=16",
        "loss=huber, lr=0.2, batch_size=8",
        "loss=mse, lr=0.2, batch_size=8",
    )


def test_a_path_tells_by_its_file(make_run):
    runs = [make_run("a", rows=line, config={"dataset": {**CSV, "path": path}}) for path in ("/x/y/a.csv", "/x/b.csv")]
    assert label(*runs) == ("dataset.path=a.csv", "dataset.path=b.csv")


def test_equal_runs_are_called_by_name_or_numbered_and_never_by_their_time(make_run):
    assert label(make_run("a", rows=line), make_run("b", rows=line)) == ("a", "b")
    same = [make_run("same", rows=line) for _ in range(3)]
    assert label(*same) == ("run 1", "run 2", "run 3")
    other = make_run("same", rows=line, config={"loss": HUBER})
    assert label(*same[:2], other) == ("loss=mse, run 1", "loss=mse, run 2", "loss=huber")
    named = make_run("named", rows=line)
    assert label(same[0], named, other) == ("loss=mse, same", "loss=mse, named", "loss=huber")
    for texts in (label(*same), label(same[0], named, other)):
        assert not any(re.search(r"20\d{6}", text) for text in texts)


def test_the_user_calls_them(make_run):
    a, b, c = (make_run(name, rows=line, config={"learning_rate": rate}) for name, rate in
               (("one", 0.1), ("two", 0.2), ("three", 0.3)))  # fmt: skip
    runs, found = [[a], [b], [c]], ("x", "y", "z")

    def named(*given, specs=None):
        return named_by_user(given, runs, found, specs or {})

    assert named() == found
    assert named("lr=0.1") == ("lr=0.1", "y", "z")  # lr is not a run: a text
    assert named("old", "new", "a = b") == ("old", "new", "a = b")
    assert named("B=new") == ("x", "new", "z")
    assert named("B=new", "first") == ("first", "new", "z")
    assert named("two=new", f"{c.name}=l=1") == ("x", "new", "l=1")
    assert named("last=new", specs={"last": c.path}) == ("x", "y", "new")
    for given, said in (
        (["a", "b", "c", "d"], "there are only 3 runs"),
        (["D=x"], "there is no run D; the runs are A, B, C"),
        (["A=x", "one=y"], "already has the label x"),
        (["A=y"], "two runs would have this label"),
        (["s", "s"], "two runs would have this label"),
        (["A="], "expected a few words"),
        (["a\x1b[31m"], "expected a few words"),
    ):
        with pytest.raises(UsageError, match=re.escape(said)):
            named(*given)


def test_a_run_made_of_several_is_called_by_any_of_them(make_run):
    members = [make_run("a", rows=line), make_run("b", rows=line)]
    other = make_run("c", rows=line)
    assert named_by_user(["b=both"], [members, [other]], ("x", "y"), {}) == ("both", "y")
    assert isinstance(other.path, Path)

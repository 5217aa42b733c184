import numpy as np

from lossrun.analysis.comparison.compare import compare
from lossrun.analysis.report_data import report_data
from lossrun.records import predictions
from lossrun.records.run_directory import RunDirectory


def falling(epoch, seed):
    return {"train_loss": 2 / epoch, "val_loss": 1 / epoch, "val_rmse": 1 / epoch, "val_mae": 1.0, "val_huber": 0.5}


def of(runs):
    return report_data(runs, compare(runs))


def test_the_course_of_training_and_what_describes_are_curves_of_their_own(make_run):
    data = of([make_run("a", rows=falling), make_run("b", rows=falling, config={"learning_rate": 0.2})])
    assert [curve.name for curve in data.course] == ["learning_rate", "grad_norm"]
    assert [curve.name for curve in data.described] == ["val_huber"]
    # conftest's write_run gives every row a gradient norm of 1.
    assert [spread.mean for spread in data.course[1].rows[2]] == [1.0, 1.0]
    assert (data.task, data.dataset) == ("regression", "synthetic_regression")


def test_metrics_of_other_data_are_not_described(make_run):
    elsewhere = {"data": {"train": "a" * 64, "validation": "d" * 64, "test": "c" * 64}}
    data = of([make_run("a", rows=falling), make_run("b", rows=falling, environment=elsewhere)])
    assert not data.comparison.comparable
    assert data.described == ()


def test_a_command_is_one_that_can_be_typed_again(make_run):
    as_module = make_run("a", rows=falling, environment={"command": "__main__.py train a.yaml --set epochs=2"})
    as_program = make_run("b", rows=falling, environment={"command": "lossrun train b.yaml"}, config={"epochs": 3})
    before = make_run("c", rows=falling, config={"epochs": 2})
    commands = [run.members[0].command for run in of([as_module, as_program, before]).runs]
    assert commands == ["lossrun train a.yaml --set epochs=2", "lossrun train b.yaml", ""]


def test_runs_that_differ_in_their_seeds_alone_are_one_with_two_members(make_run):
    runs = [
        make_run("a", rows=falling, config={"seeds": [0]}),
        make_run("b", rows=falling, config={"seeds": [1]}),
        make_run("c", rows=falling, config={"learning_rate": 0.2, "seeds": [0, 1]}),
    ]
    for run in runs:
        outputs = {seed: np.array([[1.0 + seed]]) for seed in run.seeds}
        path = RunDirectory(run.path).predictions_path
        predictions.save(path, ids=np.array([7]), targets=np.array([[0.0]]), outputs=outputs, part="test")
    data = of(runs)
    assert len(data.comparison.runs) == len(data.runs) == 2
    assert [member.name for member in data.runs[0].members] == [run.name for run in runs[:2]]
    # Off by 1 with seed 0, by 2 with seed 1.
    assert data.runs[0].held_out.worst[0].badness == 1.5
    assert data.course[0].rows[1][0].per_seed == {0: 0.1, 1: 0.1}

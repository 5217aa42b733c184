import math

import pytest

from lossrun.analysis import runs
from lossrun.analysis.selection import chosen, condition, duration, ordered
from lossrun.errors import UsageError

HUBER = {"name": "huber", "delta": 1.0, "reduction": "mean"}
ADAM = {"name": "adam", "betas": [0.9, 0.999], "eps": 1e-8, "weight_decay": 0.0, "amsgrad": False}


def measured(rmse):
    return lambda epoch, seed: {"train_loss": 1.0, "val_loss": 1.0 / epoch, "val_rmse": rmse + seed, "val_r2": -rmse}


@pytest.fixture
def rows(make_run):
    """plain: mse, sgd, rmse 0.3; robust: huber, adam, rmse 0.1 and 2.1; short: one epoch of two, rmse 0.2."""
    made = [
        make_run("plain", rows=measured(0.3), config={"tags": ["lecture", "old"]}),
        make_run(
            "robust",
            rows=measured(0.1),
            config={"loss": HUBER, "optimizer": ADAM, "seeds": [0, 2], "learning_rate": 1e-3, "epochs": 20},
        ),
        make_run("short", rows=measured(0.2), config={"epochs": 2}, epochs_done=1, finish=False),
    ]
    return runs.listing([run.path for run in made]).rows


def names(rows):
    return [row.config["name"] for row in rows]


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        (["loss=mse"], ["plain", "short"]),
        (["loss=MeanSquaredError"], ["plain", "short"]),
        (["loss=nn.MSELoss"], ["plain", "short"]),
        (["loss!=mse"], ["robust"]),
        (["loss.name=SmoothL1"], []),
        (["loss.delta=1"], ["robust"]),
        (["optimizer=Adam"], ["robust"]),
        (["optimizer=keras.Adam"], []),  # eps would be 1e-7
        (["optimizer.betas=[0.9, 0.999]"], ["robust"]),
        (["optimizer.momentum=0"], ["plain", "short"]),
        (["optimizer.nesterov=0"], []),  # false is no number
        (["optimizer.nesterov=false"], ["plain", "short"]),
        (["learning_rate=1e-3"], ["robust"]),
        (["lr=.001"], ["robust"]),
        (["epochs>=10"], ["robust"]),
        (["max_epochs>=10"], ["robust"]),
        (["epochs_done<4"], ["short"]),
        (["status=finished"], ["plain", "robust"]),
        (["status!=finished"], ["short"]),
        (["seeds=2"], ["robust"]),
        (["val_rmse<0.25"], ["short"]),  # robust: 1.1, the mean of 0.1 and 2.1
        (["val_rmse<=0.3", "epochs>2"], ["plain"]),
        (["rmse>1"], ["robust"]),
        (["RootMeanSquaredError > 1"], ["robust"]),
        (["test_rmse=0.5"], ["plain"]),  # of a run that is not finished nothing is known
        (["test_rmse!=0.5"], ["robust", "short"]),
        (["tags=lecture"], ["plain"]),
        (["tags=lect"], []),
        (["run=*-R*"], []),
        (["run=*-r*"], ["robust"]),
        (["name=*-r*"], ["robust"]),
        (["compare_on=null"], ["plain", "robust", "short"]),
        (["schedule.gamma=0.5"], []),  # a key that none of these runs has
        (["val_accuracy>0.5"], []),
        (["age<1h"], ["plain", "robust", "short"]),
        (["age>1h"], []),
    ],
)
def test_conditions_choose_the_runs_that_fulfil_all_of_them(rows, conditions, expected):
    assert names(chosen(rows, [condition(text) for text in conditions])) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("los=mse", "did you mean loss?"),
        ("optimizer.momentun=0.9", "did you mean optimizer.momentum?"),
        ("val_rsme<1", "did you mean val_rmse?"),
        ("qqqqqqqqq=1", "lossrun show RUN"),
        ("loss=msee", "there is no loss msee; did you mean mse?"),
        ("optimizer=lbfgs", "there is no optimizer lbfgs"),
        ("status=done", "expected one of running, finished"),
        ("loss<0.1", "did you mean val_loss?"),
        ("val_loss<small", "needs a number"),
        ("optimizer.betas=[0.9", "not a list or mapping"),
        ("mse", "not a condition"),
        ("age<soon", "not a duration"),
    ],
)
def test_a_condition_without_meaning_is_refused(rows, text, message):
    with pytest.raises(UsageError) as error:
        chosen(rows, [condition(text)])
    assert message in str(error.value)


def test_a_number_that_is_none_equals_nan_and_is_neither_less_nor_greater(make_run):
    run = make_run(rows=lambda epoch, seed: {"train_loss": 1.0, "val_loss": 1.0, "val_rmse": math.nan})
    rows = runs.listing([run.path]).rows
    assert chosen(rows, [condition("val_rmse=nan")]) == rows
    assert chosen(rows, [condition("val_rmse<1e9")]) == ()
    assert chosen(rows, [condition("val_rmse>=0")]) == ()


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("learning_rate", ["robust", "plain", "short"]),  # equal ones as they were
        ("loss", ["robust", "plain", "short"]),
        ("val_rmse", ["short", "plain", "robust"]),
        ("best", ["short", "plain", "robust"]),
        ("val_r2", ["robust", "short", "plain"]),  # the greatest is the best: -0.1, -0.2, -0.3
        ("test_rmse", ["plain", "robust", "short"]),  # missing
        ("loss.delta", ["robust", "plain", "short"]),  # missing
    ],
)
def test_runs_are_sorted_by_a_column_best_first(rows, by, expected):
    assert names(ordered(rows, by)[0]) == expected


def test_missing_values_are_last_in_reverse_too(rows):
    assert names(ordered(rows, "test_rmse", reverse=True)[0]) == ["robust", "plain", "short"]


def test_a_limit_keeps_the_newest_or_the_first_of_the_order(rows):
    assert names(ordered(rows, limit=2)[0]) == ["robust", "short"]
    assert names(ordered(rows, limit=2, reverse=True)[0]) == ["short", "robust"]
    assert names(ordered(rows, "rmse", limit=1)[0]) == ["short"]
    assert names(ordered(rows, limit=9)[0]) == ["plain", "robust", "short"]


def test_sorting_by_an_unknown_key_names_the_nearest(rows):
    with pytest.raises(UsageError, match=r"--sort val_rms: .* did you mean val_rmse\?"):
        ordered(rows, "val_rms")


def test_best_of_runs_of_different_tasks_is_not_one_order(make_run):
    classes = make_run(rows=lambda epoch, seed: {"val_loss": 1.0, "val_accuracy": 0.5}, environment={"task": "binary"})
    numbers = make_run(rows=measured(1.0))
    rows = runs.listing([classes.path, numbers.path]).rows
    with pytest.raises(UsageError, match="choose one of val_accuracy, val_rmse"):
        ordered(rows, "best")


@pytest.mark.parametrize(("text", "seconds"), [("30d", 2_592_000), ("12h", 43_200), ("90min", 5400), ("1.5w", 907_200)])
def test_lengths_of_time(text, seconds):
    assert duration(text).total_seconds() == seconds


@pytest.mark.parametrize("text", ["30", "d", "-1d", "1 year", "1e9d", "99999999999d"])
def test_what_is_no_length_of_time(text):
    with pytest.raises(UsageError, match="30d"):
        duration(text)


def test_among_no_runs_every_key_is_as_good_as_any():
    assert chosen((), [condition("loss.gamma=2")]) == ()
    assert ordered((), "loss.gamma") == ((), "loss.gamma")

import pytest

from lossrun.catalog import metric_names


@pytest.mark.parametrize(
    ("name", "goal"),
    [("val_rmse", "min"), ("test_accuracy", "max"), ("val_mse", "min"), ("train_loss", "min"), ("val_loss", "min"),
     ("val_r2", "max"), ("val_macro_f1", "max"), ("val_mine", None)],
)  # fmt: skip
def test_every_metric_knows_whether_lower_or_higher_is_better(name, goal):
    assert metric_names.goal(name) == goal


@pytest.mark.parametrize(("goal", "sign"), [("max", 1), ("min", -1)])
def test_values_times_their_sign_are_better_when_higher(goal, sign):
    assert metric_names.sign(goal) == sign


@pytest.mark.parametrize(("goal", "word"), [("max", "higher"), ("min", "lower"), (None, "-")])
def test_the_better_direction_has_a_word(goal, word):
    assert metric_names.better(goal) == word

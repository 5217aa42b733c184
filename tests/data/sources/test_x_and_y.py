"""An archive of x and y needs no `target`: the names say which is which, as those of x_train and y_train do."""

import pytest

from lossrun.data.sources.array_names import chosen_arrays
from lossrun.errors import DataError


def chosen(known, **given):
    parameters = {"target": None, "inputs": None, "weight": None, "split": None, **given}
    return chosen_arrays(known, parameters, "a.npz")["train"]


@pytest.mark.parametrize(
    ("known", "x", "y"),
    [
        (["x", "y"], "x", "y"),
        (["X", "Y"], "X", "Y"),
        (["labels", "images"], "images", "labels"),
        (["features", "target", "ids"], "features", "target"),  # and a note says that ids is not used
    ],
)
def test_the_names_say_which_is_which(known, x, y):
    assert (chosen(known).inputs, chosen(known).targets) == ((x,), (y,))


def test_named_inputs_are_kept():
    assert chosen(["a", "x", "y"], inputs="a").inputs == ("a",)
    assert chosen(["x", "y"], target="x").targets == ("x",)


@pytest.mark.parametrize("known", [["x", "z"], ["a", "y"], ["x", "images", "y"], ["x", "y", "labels"]])
def test_other_archives_are_asked_about(known):
    with pytest.raises(DataError, match=r"names no array of a\.npz; name one of"):
        chosen(known)

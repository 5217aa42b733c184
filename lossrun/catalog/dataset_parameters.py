"""Parameters that several datasets share."""

from collections.abc import Mapping
from typing import Any, Final, Literal

from lossrun.catalog.parameter import Key, KeyGroup, Parameter

VALIDATION: Final = Parameter(
    "validation",
    int | float,
    0.1,
    "held out of the training part to choose the best epoch: a count (integer) or a share (below 1); 0 for none",
    at_least=0,
)
TEST: Final = Parameter(
    "test",
    int | float | Literal["official"],
    0.2,
    "held out for the final score: a count (integer) or a share (below 1); 0 for none",
    at_least=0,
)
OFFICIAL_TEST: Final = Parameter(
    "test", int | float | Literal["official"], "official", "the official test set, or as above", at_least=0
)
SPLIT_SEED: Final = Parameter(
    "split_seed",
    int | Literal["seed"],
    0,
    "which random split; seed: each seed of the run draws its own split. The intervals of compare then also cover "
    "the choice of the split. They are wider, because training parts overlap, and still too narrow if a few "
    "outliers dominate",
    at_least=0,
)
STANDARDIZE: Final = KeyGroup(
    "standardize",
    (
        Parameter("inputs", bool, False, "scale to mean 0 and standard deviation 1, per column (images: all pixels)"),
        Parameter("targets", bool, False, "the same for regression targets; metrics stay in original units"),
    ),
    {"inputs": False, "targets": False},
    "scaling, fitted on the training part",
    short_for="inputs",
)
CORRUPT: Final = KeyGroup(
    "corrupt",
    (
        Parameter("label_noise", float, 0.0, "share of labels replaced by another class", at_least=0, at_most=1),
        Parameter("outliers", float, 0.0, "share of regression targets displaced", at_least=0, at_most=1),
        Parameter("outlier_scale", float, 10.0, "size of the displacement", unit="target deviations", above=0),
        Parameter("seed", int, 0, "which random samples are damaged", at_least=0),
    ),
    None,
    "damage to the training targets only",
)
SEED: Final = Parameter("seed", int, 0, "seed of the random samples", at_least=0)
SAMPLES: Final = Parameter("samples", int, 1000, "number of samples in all parts together", at_least=2)
TASK: Final = Parameter(
    "task",
    Literal["regression", "binary", "multiclass", "multilabel"] | None,
    None,
    "kind of targets; left out: derived from the targets, and from the loss if they are ambiguous",
)
SPLITS: Final[tuple[Key, ...]] = (VALIDATION, TEST, SPLIT_SEED, STANDARDIZE, CORRUPT)
OFFICIAL_SPLITS: Final[tuple[Key, ...]] = (VALIDATION, OFFICIAL_TEST, SPLIT_SEED, STANDARDIZE, CORRUPT)
# Keys that lossrun itself applies to every dataset, a user's own included; the dataset's function gets all others.
COMMON_KEYS: Final = tuple(key.name for key in SPLITS)


def _contradicting_splits(split: Mapping[str, Any]) -> str:
    """Return which two keys of a split contradict each other, or ""."""
    ways = [name for name in ("column", "groups", "order") if split[name] is not None]
    files = [name for name in ("validation", "test") if split[name] is not None]
    if len(ways) > 1 or (ways and files):
        named = " and ".join([*ways, *files][:2])
        return f"{named} are two ways to split; keep one"
    return ""


def split(what: str, kind: Any) -> KeyGroup:
    """Return the key `split`, for columns of a table or arrays of an archive (`what`) that are named by `kind`."""
    return KeyGroup(
        "split",
        (
            Parameter("column", kind | None, None, f"the {what} that says train, validation or test for each row"),
            Parameter(
                "groups",
                kind | None,
                None,
                f"the {what} whose equal values keep rows together in one part, such as a patient",
            ),
            Parameter("order", kind | None, None, f"the {what} of dates or numbers; the last rows are held out"),
            Parameter("validation", str | None, None, f"a separate file for validation, with the same {what}s"),
            Parameter("test", str | None, None, f"a separate file for the test, with the same {what}s"),
        ),
        None,
        "which rows are held out; left out: random ones",
        contradiction=_contradicting_splits,
    )

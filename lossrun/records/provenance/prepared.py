"""Write and read preparation.json: what prediction needs to know of the training data to work without them."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from lossrun.catalog import DataFacts
from lossrun.data import Data, Scaling
from lossrun.data.samples.preparation import Preparation, preparation_of
from lossrun.data.samples.scaling import coarse_columns
from lossrun.errors import DataError, RunError
from lossrun.records.files import digests, strict_json
from lossrun.records.files.contents import content
from lossrun.records.recorded import RecordedRun
from lossrun.records.run_directory import RunDirectory


@dataclass(frozen=True, slots=True)
class RecordedPreparation:
    """What prediction needs to know of the training data.

    Attributes:
        form: The form of the samples.
        wide: Whether the inputs are numbers that float32 cannot distinguish.
        facts: The facts of the data.
    """

    form: Preparation
    wide: bool
    facts: DataFacts

    @classmethod
    def of(cls, data: Data) -> "RecordedPreparation":
        inputs = data.train.inputs
        wide = inputs.dtype.kind != "u" and len(coarse_columns(inputs, Scaling.identity())) > 0
        return cls(preparation_of(data), wide, data.facts)


def dumps(data: Mapping[int, Data]) -> bytes:
    """Return the file for the data of each seed; most runs have the same data for all seeds."""
    distinct = {id(one): RecordedPreparation.of(one) for one in {id(one): one for one in data.values()}.values()}
    places = list(distinct)
    tree = {
        "seeds": {str(seed): places.index(id(one)) for seed, one in data.items()},
        "forms": [
            {"form": one.form.to_json(), "wide": one.wide, "facts": asdict(one.facts)} for one in distinct.values()
        ],
    }
    return (strict_json.dumps(tree, indent=1) + "\n").encode()


def read(path: Path, digest: str) -> dict[int, RecordedPreparation]:
    """Return {seed: preparation}.

    Raises:
        RunError: If the file is missing or damaged.
    """
    checked = digests.checked(str(path), digests.with_unix_lines(content(path)), digest)
    try:
        tree = strict_json.loads_plain(checked)
        forms = [
            RecordedPreparation(Preparation.from_json(one["form"]), bool(one["wide"]), _facts(one["facts"]))
            for one in tree["forms"]
        ]
        return {int(seed): forms[place] for seed, place in tree["seeds"].items()}
    except (DataError, KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise RunError(f"cannot read {path}: {error}; it was written by another version of lossrun") from error


def of_run(run: RecordedRun) -> dict[int, RecordedPreparation]:
    """Return {seed: preparation} of a run; {} for a run of an older version.

    Raises:
        RunError: If the file is damaged.
    """
    digest = run.ledger[0].get("preparation") if run.ledger else None
    return read(RunDirectory(run.path).preparation_path, digest) if isinstance(digest, str) else {}


def _facts(tree: Mapping[str, Any]) -> DataFacts:
    """Read the facts of any version that has the same fields."""
    return TypeAdapter(DataFacts).validate_python(tree)

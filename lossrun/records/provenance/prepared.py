"""Write and read preparation.json: what prediction needs to know of the training data to work without them."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from lossrun.catalog import DataFacts
from lossrun.data import Data, Scaling
from lossrun.data.samples.preparation import Preparation, preparation_of
from lossrun.data.samples.scaling import coarse_columns
from lossrun.errors import RunError
from lossrun.records.files import digests, strict_json
from lossrun.records.files.contents import content
from lossrun.records.provenance import preparation_formats
from lossrun.records.recorded import RecordedRun
from lossrun.records.run_directory import RunDirectory

LONGEST: Final = 1 << 25  # bytes; each column of a table takes about 100


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
    checked = digests.checked(str(path), digests.with_unix_lines(content(path, LONGEST)), digest)
    try:
        tree = strict_json.loads_plain(checked)
    except ValueError as error:
        raise RunError(f"{path}: not JSON; {digests.DAMAGED}") from error
    if problem := preparation_formats.problem(tree):
        fix = "update lossrun, which is older" if preparation_formats.is_newer(tree) else digests.DAMAGED
        raise RunError(f"{path}: {problem}; {fix}")
    forms = [
        RecordedPreparation(Preparation.from_json(one["form"]), one["wide"], _facts(path, place, one["facts"]))
        for place, one in enumerate(tree["forms"])
    ]
    return {int(seed): forms[place] for seed, place in tree["seeds"].items()}


def of_run(run: RecordedRun) -> dict[int, RecordedPreparation]:
    """Return {seed: preparation} of a run; {} for a run of an older version.

    Raises:
        RunError: If the file is damaged.
    """
    digest = run.ledger[0].get("preparation") if run.ledger else None
    if not isinstance(digest, str):
        return {}
    path = RunDirectory(run.path).preparation_path
    found = read(path, digest)
    if missing := [seed for seed in run.seeds if seed not in found]:
        raise RunError(f"{path}: seeds.{missing[0]} is missing; {digests.DAMAGED}")
    return found


def _facts(path: Path, place: int, tree: Mapping[str, Any]) -> DataFacts:
    """Read the facts of any version that has the same fields.

    Raises:
        RunError: If one is of another type.
    """
    try:
        return TypeAdapter(DataFacts).validate_python(tree)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        key = ".".join(map(str, ("facts", *first["loc"])))
        raise RunError(f"{path}: forms[{place}].{key}: {first['msg']}; {digests.DAMAGED}") from error

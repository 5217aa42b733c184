"""Find the data that a run was trained on, and tell them by their hashes from other files of the same name."""

from pathlib import Path

from lossrun.config import from_mapping
from lossrun.data import default_data_dir
from lossrun.data.samples.hashing import hashes
from lossrun.errors import DataError, UsageError
from lossrun.experiment import Experiment, load_experiment
from lossrun.records.provenance import whereabouts
from lossrun.records.provenance.whereabouts import Place
from lossrun.records.recorded import RecordedRun
from lossrun.records.run_directory import RunDirectory


def find(run: RecordedRun, data_dir: Path | None = None, *, goes_on: bool = False) -> tuple[Place, Experiment]:
    """Return where the data are now, and the experiment with them.

    Args:
        data_dir: Where to look first.
        goes_on: As for `code_place`.

    Raises:
        DataError: If they are not found, with the problem at the likeliest place.
    """
    if problem := whereabouts.missing_data_message(run, data_dir):
        raise DataError(problem)
    folder = data_dir or whereabouts.data_folder(run, default_data_dir())
    recorded = whereabouts.environment(run)["data"]
    problems: list[DataError | UsageError] = []
    for place in whereabouts.data_places(run, data_dir, goes_on=goes_on):
        config = whereabouts.placed(run.config, place)
        reading = from_mapping(config, place.directory, name=str(RunDirectory(run.path).config_path))
        try:
            experiment = load_experiment(reading, folder, trains=False)
        except (DataError, UsageError) as error:  # other data may not even fit the config
            problems.append(error)
            continue
        found = hashes(experiment.data)
        changed = [part for part in dict.fromkeys((*recorded, *found)) if found.get(part) != recorded.get(part)]
        if not changed:
            return place, experiment
        problems.append(
            DataError(
                f"the {' and '.join(changed)} data are not the data that {run.name} was trained on: their hash has "
                f"changed ({run.config['dataset']['name']}, found in {place.path or place.directory}); restore the "
                "original data, or name their folder with --data-dir; `predict` and `export` work without them"
            )
        )
    raise problems[0]

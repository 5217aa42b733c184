"""The copies of the user's own modules that a run keeps, held against the digests that run.json has of them."""

from lossrun.errors import RunError
from lossrun.records import digests
from lossrun.records.digests import DAMAGED
from lossrun.records.recorded import RecordedRun
from lossrun.records.run_directory import RunDirectory
from lossrun.records.source_code import recorded_source


def check_copies(run: RecordedRun) -> None:
    """Raises RunError for a copy that is not what the run was trained with."""
    folder, code = RunDirectory(run.path).source, run.environment.get("code")
    for component in code if isinstance(code, dict) else ():
        for module, digest in recorded_source(code, component).items():
            stem = module.replace(".", "/")
            for path in (folder / f"{stem}.py", folder / stem / "__init__.py"):
                if path.is_file() and digests.of_bytes(path.read_bytes()) != digest:
                    raise RunError(f"{path}: it does not agree with its digest; {DAMAGED}")

"""Print what lossrun finds of faulty networks, and what it says of their healthy twins: `python -m tests.faults`.

python -m tests.faults                all cases, in some minutes
python -m tests.faults own            thirty-five faults of our own
python -m tests.faults published      fifteen of a published benchmark
python -m tests.faults 48934338       one of them
"""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from tests.faults.judge import Outcome, config_of, trained
from tests.faults.own import OWN
from tests.faults.published_cases import copied, published

# What is not an alarm about the training: facts of the data that a fix of the network leaves as they are.
ABOUT_DATA: Final = {"missing_class"}


@dataclass(frozen=True)
class Row:
    """A line of the table. `cured` is None where no setting can cure the fault."""

    name: str
    found: bool
    located: bool
    cured: bool | None
    alarms: Sequence[str]
    told: Sequence[str]


def cured(raw: Mapping[str, Any], outcome: Outcome, directory: Path, data_dir: Path) -> bool:
    """Whether the run ends healthy with exactly the settings that were advised."""
    return bool(outcome.cure) and trained(raw, directory, data_dir, *outcome.cure).is_healthy


def alarms(outcome: Outcome) -> list[str]:
    return [name for name in outcome.names if name not in ABOUT_DATA]


def of_published(chosen: Sequence[str], data_dir: Path) -> Iterator[Row]:
    with TemporaryDirectory() as temporary:
        folder = copied(Path(temporary), data_dir)
        for case in published():
            if chosen and case.id not in chosen:
                continue
            raw, place = config_of(folder / case.id / "buggy.yaml"), folder / case.id
            outcome = trained(raw, place, data_dir)
            located = any(is_at(setting, case.where) for setting in outcome.cure)
            twin = trained(config_of(case.twin(folder)), place, data_dir)
            told = [name for name in outcome.names if name not in ABOUT_DATA]
            cure = cured(raw, outcome, place, data_dir)
            yield Row(f"{case.id} {case.fault}", bool(told), located, cure, alarms(twin), told)


def is_at(setting: str, where: Sequence[str]) -> bool:
    """Whether a setting is of one of these keys, or within one of them."""
    key = setting.partition("=")[0]
    return any(key == place or key.startswith(f"{place}.") for place in where)


def of_own(chosen: Sequence[str]) -> Iterator[Row]:
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for fault in OWN:
            if chosen and fault.name not in chosen:
                continue
            outcome = trained(fault.config, folder, folder)
            found = bool(fault.expected.intersection(outcome.names))
            cure = cured(fault.config, outcome, folder, folder) if fault.curable else None
            twin = trained(fault.healthy, folder, folder)
            yield Row(fault.name, bool(outcome.told), found, cure, alarms(twin), outcome.names)


def show(rows: Iterator[Row]) -> None:
    done: list[Row] = []
    print(f"{'fault':44}  found  located  cured  false alarms  told")  # noqa: T201
    for row in rows:
        done.append(row)
        marks = [{True: "yes", False: "NO", None: "-"}[mark] for mark in (row.found, row.located, row.cured)]
        told, told_of_twin = " ".join(row.told), " ".join(row.alarms) or "0"
        print(f"{row.name[:44]:44}  {marks[0]:5}  {marks[1]:7}  {marks[2]:5}  {told_of_twin:12}  {told}")  # noqa: T201
    curable = [row.cured for row in done if row.cured is not None]
    print(  # noqa: T201
        f"of {len(done)}: found {sum(row.found for row in done)}, located {sum(row.located for row in done)}, cured "
        f"{sum(curable)} of {len(curable)}; false alarms on {sum(bool(row.alarms) for row in done)} healthy twins\n"
    )


def main(words: Sequence[str]) -> None:
    data_dir = Path(os.environ.get("LOSSRUN_DATA_DIR", "."))
    chosen = [word for word in words if word not in ("own", "published")]
    ours = [word for word in chosen if not word.isdigit()]
    if "published" in words or not words or len(ours) < len(chosen):
        show(of_published([word for word in chosen if word.isdigit()], data_dir))
    if "own" in words or not words or ours:
        show(of_own(ours))


if __name__ == "__main__":
    main(sys.argv[1:])

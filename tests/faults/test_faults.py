"""Faulty networks are found, their cures cure, and their healthy twins raise no alarm.

`python -m tests.faults` prints the table of all cases; here are those that train in about a second.
"""

from pathlib import Path
from typing import Any

import pytest

from lossrun.catalog.diagnoses import DIAGNOSES
from tests.faults.diagnosed import DIAGNOSED, OF_OURS
from tests.faults.judge import config_of, trained
from tests.faults.own import ALIKE, OWN, Fault
from tests.faults.published_cases import LARGE, Published, copied, published

FAST: dict[str, Any] = {"optimizer": "adam", "learning_rate": 0.01}
SLOW: dict[str, Any] = {"optimizer": "sgd", "learning_rate": 0.05}
_NET = {"name": "mlp", "hidden": [32]}
MOONS: dict[str, Any] = {
    "dataset": {"name": "synthetic_classification", "kind": "moons", "samples": 600},
    "model": _NET,
    "loss": "binary_cross_entropy",
}
SPIRALS: dict[str, Any] = {
    "dataset": {"name": "synthetic_classification", "kind": "spirals", "classes": 3, "samples": 600},
    "model": _NET,
    "loss": "cross_entropy",
}
CURVES: dict[str, Any] = {
    "dataset": {"name": "synthetic_regression", "kind": "friedman1", "features": 10, "samples": 600},
    "model": _NET,
    "loss": "mse",
}
TRAINED = [fault for fault in OWN if fault.name not in ALIKE]
# What the published cases contain in addition to their fault.
ABOUT_DATA = "missing_class"
# Its right fix is the logarithm of the input, which no setting takes.
NOT_CURED = "58609115"


@pytest.mark.parametrize("fault", TRAINED, ids=lambda fault: fault.name)
def test_a_fault_of_our_own(fault: Fault, tmp_path: Path) -> None:
    found = trained(fault.config, tmp_path, tmp_path)
    assert fault.expected.intersection(found.names)
    assert {name for name, ours in OF_OURS.items() if ours == fault.name} <= set(found.names)
    assert bool(found.cure) == fault.curable
    if fault.curable:
        assert trained(fault.config, tmp_path, tmp_path, *found.cure).is_healthy
    healthy = trained(fault.healthy, tmp_path, tmp_path)
    assert healthy.names == []
    assert healthy.is_healthy


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copied(tmp_path_factory.mktemp("published"), Path("nowhere"))


@pytest.mark.parametrize("case", [case for case in published() if case.id not in LARGE], ids=lambda case: case.id)
def test_a_published_fault(case: Published, folder: Path) -> None:
    raw, place = config_of(folder / case.id / "buggy.yaml"), folder / case.id
    found = trained(raw, place, place)
    keys = [setting.partition("=")[0] for setting in found.cure]
    assert any(key == where or key.startswith(f"{where}.") for key in keys for where in case.where)
    if case.id != NOT_CURED:
        assert trained(raw, place, place, *found.cure).is_healthy
    assert set(trained(config_of(case.twin(folder)), place, place).names) <= {ABOUT_DATA}


@pytest.mark.parametrize("name", DIAGNOSED)
def test_the_cure_of_a_diagnosis_cures(name: str, tmp_path: Path) -> None:
    found = trained(DIAGNOSED[name], tmp_path, tmp_path)
    assert [told.name for told in found.findings] == [name]
    assert trained(DIAGNOSED[name], tmp_path, tmp_path, *found.cure).is_healthy


@pytest.mark.parametrize(
    ("config", "schedule"),
    [
        ({**MOONS, **FAST}, {"name": "step", "every": 1, "gamma": 0.1}),
        ({**MOONS, **FAST}, {"name": "cosine", "over_epochs": 1}),
        ({**MOONS, **SLOW}, {"name": "inverse_time", "decay": 50.0}),
        ({**MOONS, **SLOW}, {"name": "multi_step", "milestones": [1, 2], "gamma": 0.03}),
        ({**CURVES, **FAST}, {"name": "exponential", "gamma": 0.3}),
        ({**CURVES, **SLOW}, {"name": "polynomial", "power": 20.0}),
        # Here a constant rate is not enough, so the model that is advised is advised with it.
        ({**SPIRALS, **FAST}, {"name": "step", "every": 1, "gamma": 0.1}),
    ],
    ids=str,
)
def test_a_schedule_that_falls_too_early_is_named(
    config: dict[str, Any], schedule: dict[str, Any], tmp_path: Path
) -> None:
    """The cure is to leave it out: with any other, it would fall too early again."""
    found = trained({**config, "epochs": 20, "schedule": schedule}, tmp_path, tmp_path)
    assert "schedule=constant" in found.cure
    assert f"the schedule {schedule['name']} lowers the learning rate too early" in found.findings[-1].text
    assert trained({**config, "epochs": 20, "schedule": schedule}, tmp_path, tmp_path, *found.cure).is_healthy


@pytest.mark.parametrize(
    "schedule",
    [
        {"name": "step", "every": 7, "gamma": 0.1},
        {"name": "multi_step", "milestones": [10, 15], "gamma": 0.1},
        {"name": "cosine"},
        {"name": "exponential", "gamma": 0.85},
        {"name": "one_cycle"},
        {"name": "linear"},
        {"name": "reduce_on_plateau", "patience": 2},
    ],
    ids=str,
)
def test_a_usual_schedule_is_not_blamed(schedule: dict[str, Any], tmp_path: Path) -> None:
    slow = {**MOONS, "optimizer": "adam", "learning_rate": 1e-5, "epochs": 20}  # the rate is the fault
    found = trained({**slow, "schedule": schedule}, tmp_path, tmp_path)
    assert found.findings
    assert not [told for told in found.findings if "too early" in told.text]
    assert "schedule=constant" not in found.cure


def test_each_diagnosis_has_a_case() -> None:
    """Each is named for a fault that is trained here; so is each rule that faults are told by."""
    harmless = {name for name, diagnosis in DIAGNOSES.items() if diagnosis.harmless}
    assert DIAGNOSED.keys() | OF_OURS.keys() == DIAGNOSES.keys() - harmless
    assert set(OF_OURS.values()) <= {fault.name for fault in TRAINED}
    ours = {name for fault in TRAINED for name in fault.expected}
    assert ours == {name for fault in OWN for name in fault.expected}
    assert {fault.name for fault in OWN} > ALIKE

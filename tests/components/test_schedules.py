"""The schedules against torch's own, actually run."""

from dataclasses import fields
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.optim import SGD, lr_scheduler

from lossrun.catalog import find, get
from lossrun.catalog.declaration import Schedule
from lossrun.catalog.lookup import COMPONENTS
from lossrun.catalog.parameter import REQUIRED
from lossrun.catalog.schedules import SCHEDULES
from lossrun.catalog.unsupported import NO_SCHEDULES
from lossrun.components.schedules import Plateau, PlateauState, rate
from tests.other_values import required

LEARNING_RATE = 0.2
EPOCHS, STEPS_PER_EPOCH = 12, 5
STEPS = EPOCHS * STEPS_PER_EPOCH
# What a config has to say, because there is no default.
REQUIRED_PARAMETERS: dict[str, dict[str, Any]] = {
    "multi_step": {"milestones": [3, 7]},
    "piecewise_constant": {"boundaries": [2.0, 5.5], "fractions": [0.5, 0.1]},
    "cosine_restarts": {"first_epochs": 3.0},
}
# Shares of the rate at the first step, by the declared defaults; 1 for all others.
FIRST = {"reduced_start": 1 / 3, "cyclic": 0.1, "one_cycle": 1 / 25}


def filled(name: str, **parameters: Any) -> dict[str, Any]:
    """All parameters of a schedule, those not given by their declared defaults."""
    component = get("schedule", name)
    declared = {p.name: p.default for p in component.parameters}
    given = REQUIRED_PARAMETERS[name] if name in REQUIRED_PARAMETERS else required(component)
    return {**declared, **given, **parameters}


def rates(name: str, epochs: int = EPOCHS, **parameters: Any) -> list[float]:
    return [
        rate(
            name,
            step=step,
            steps_per_epoch=STEPS_PER_EPOCH,
            epochs=epochs,
            learning_rate=LEARNING_RATE,
            **filled(name, **parameters),
        )
        for step in range(epochs * STEPS_PER_EPOCH)
    ]


def torchs(scheduler_class: Any, count: int, **parameters: Any) -> list[float]:
    """The learning rates of `steps` steps of one of torch's schedulers."""
    optimizer = SGD([torch.zeros(1, requires_grad=True)], lr=LEARNING_RATE)
    scheduler = scheduler_class(optimizer, **parameters)
    seen = []
    for step in range(count):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        # OneCycleLR refuses steps beyond its last.
        if step < count - 1:
            scheduler.step()
    return seen


def per_step(epoch_rates: list[float]) -> list[float]:
    return [value for value in epoch_rates for _ in range(STEPS_PER_EPOCH)]


@pytest.mark.parametrize("declared", SCHEDULES, ids=lambda d: d.name)
def test_every_declared_schedule_takes_its_declared_parameters(declared: Schedule) -> None:
    parameters = filled(declared.name)
    assert REQUIRED not in parameters.values()
    assert rates(declared.name)[0] == pytest.approx(LEARNING_RATE * FIRST.get(declared.name, 1), rel=1e-12)
    if declared.name == "reduce_on_plateau":
        # What to watch is the loop's to find out, and the warm-up is `rate`'s.
        assert {f.name for f in fields(Plateau)} == set(parameters) - {"metric", "warmup_epochs", "counting"}
        return
    position = {"step": 0, "steps_per_epoch": 5, "epochs": 12, "learning_rate": LEARNING_RATE}
    for name in set(parameters) - {"warmup_epochs"}:
        with pytest.raises(TypeError, match=name):
            rate(declared.name, **position, **{key: value for key, value in parameters.items() if key != name})


def test_unknown_schedule_or_parameter() -> None:
    position = {"step": 0, "steps_per_epoch": 5, "epochs": 12, "learning_rate": LEARNING_RATE}
    with pytest.raises(ValueError, match="unknown schedule 'quadratic'; expected one of constant, step, "):
        rate("quadratic", **position)
    with pytest.raises(TypeError, match="gama"):
        rate("step", **position, every=1, gama=0.9)


# Those of torch that count epochs, called once after each as torch's documentation does.
PER_EPOCH = [
    ("step", {"every": 5, "gamma": 0.3}, lr_scheduler.StepLR, {"step_size": 5, "gamma": 0.3}),
    ("multi_step", {"milestones": [3, 4, 9]}, lr_scheduler.MultiStepLR, {"milestones": [3, 4, 9]}),
    (
        "multi_step",
        {"milestones": [9, 3, 3], "gamma": 0.5},
        lr_scheduler.MultiStepLR,
        {"milestones": [9, 3, 3], "gamma": 0.5},
    ),
    ("exponential", {"gamma": 0.9}, lr_scheduler.ExponentialLR, {"gamma": 0.9}),
    ("reduced_start", {}, lr_scheduler.ConstantLR, {}),
    ("reduced_start", {"factor": 0.5, "for_epochs": 2.0}, lr_scheduler.ConstantLR, {"factor": 0.5, "total_iters": 2}),
]


@pytest.mark.parametrize(("name", "parameters", "scheduler_class", "theirs"), PER_EPOCH)
def test_epoch_by_epoch_it_is_torchs(
    name: str, parameters: dict[str, Any], scheduler_class: Any, theirs: dict[str, Any]
) -> None:
    expected = per_step(torchs(scheduler_class, EPOCHS, **theirs))
    assert rates(name, **parameters) == pytest.approx(expected, rel=1e-12)


ETA_MIN = 0.1 * LEARNING_RATE
# torch is told no default that would cycle the momentum, and is given lengths in steps. exp_range: per step.
CYCLE = {"base_lr": 0.1 * LEARNING_RATE, "max_lr": LEARNING_RATE, "cycle_momentum": False}
ONE_CYCLE = {"max_lr": LEARNING_RATE, "total_steps": STEPS, "cycle_momentum": False}
PER_STEP = [
    ("linear", {}, lr_scheduler.LinearLR, {"start_factor": 1.0, "end_factor": 0.0, "total_iters": STEPS}),
    (
        "linear",
        {"start_fraction": 0.5, "final_fraction": 0.9, "over_epochs": 4.0},
        lr_scheduler.LinearLR,
        {"start_factor": 0.5, "end_factor": 0.9, "total_iters": 20},
    ),
    ("polynomial", {"power": 2.0}, lr_scheduler.PolynomialLR, {"power": 2.0, "total_iters": STEPS}),
    ("polynomial", {"over_epochs": 2.4}, lr_scheduler.PolynomialLR, {"total_iters": 12}),
    ("cosine", {}, lr_scheduler.CosineAnnealingLR, {"T_max": STEPS}),
    ("cosine", {"final_fraction": 0.1}, lr_scheduler.CosineAnnealingLR, {"T_max": STEPS, "eta_min": ETA_MIN}),
    ("cosine_restarts", {}, lr_scheduler.CosineAnnealingWarmRestarts, {"T_0": 15}),
    (
        "cosine_restarts",
        {"first_epochs": 1.4, "growth": 2.0, "final_fraction": 0.1},
        lr_scheduler.CosineAnnealingWarmRestarts,
        {"T_0": 7, "T_mult": 2, "eta_min": ETA_MIN},
    ),
    ("cyclic", {}, lr_scheduler.CyclicLR, {**CYCLE, "step_size_up": 10}),
    (
        "cyclic",
        {"mode": "triangular2", "up_epochs": 1.0, "down_epochs": 2.0},
        lr_scheduler.CyclicLR,
        {**CYCLE, "mode": "triangular2", "step_size_up": 5, "step_size_down": 10},
    ),
    (
        "cyclic",
        {"mode": "exp_range", "gamma": 0.9, "up_epochs": 1.6},
        lr_scheduler.CyclicLR,
        {**CYCLE, "mode": "exp_range", "gamma": 0.9 ** (1 / STEPS_PER_EPOCH), "step_size_up": 8},
    ),
    ("one_cycle", {}, lr_scheduler.OneCycleLR, ONE_CYCLE),
    (
        "one_cycle",
        {"pct_start": 0.23, "div_factor": 10.0, "final_div_factor": 7.0, "anneal": "linear"},
        lr_scheduler.OneCycleLR,
        {**ONE_CYCLE, "pct_start": 0.23, "div_factor": 10.0, "final_div_factor": 7.0, "anneal_strategy": "linear"},
    ),
    (
        "one_cycle",
        {"pct_start": 0.4, "three_phase": True},
        lr_scheduler.OneCycleLR,
        {**ONE_CYCLE, "pct_start": 0.4, "three_phase": True},
    ),
    ("one_cycle", {"pct_start": 1.0}, lr_scheduler.OneCycleLR, {**ONE_CYCLE, "pct_start": 1.0}),
    ("one_cycle", {"pct_start": 0.0}, lr_scheduler.OneCycleLR, {**ONE_CYCLE, "pct_start": 0.0}),
]


@pytest.mark.parametrize(("name", "parameters", "scheduler_class", "theirs"), PER_STEP)
def test_step_by_step_it_is_torchs(
    name: str, parameters: dict[str, Any], scheduler_class: Any, theirs: dict[str, Any]
) -> None:
    expected = torchs(scheduler_class, STEPS, **theirs)
    # torch multiplies step by step in some of them, so that its rounding errors add up.
    assert rates(name, **parameters) == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_every_scheduler_of_torch_is_compared_or_explained() -> None:
    compared = {case[2].__name__ for case in (*PER_EPOCH, *PER_STEP)} | {"ReduceLROnPlateau"}
    assert compared.isdisjoint(NO_SCHEDULES)
    assert set(lr_scheduler.__all__) - {"LRScheduler"} <= compared | set(NO_SCHEDULES)
    for name in compared:
        found = find("schedule", name)
        assert found, name


@pytest.mark.parametrize("spelling", ["LinearLR", "ConstantLR", "ReduceLROnPlateau", "OneCycleLR", "CosineAnnealingLR"])
def test_spellings_of_torch_bring_its_defaults(spelling: str) -> None:
    found = find("schedule", spelling)
    assert found
    if spelling == "LinearLR":
        expected = per_step(torchs(lr_scheduler.LinearLR, EPOCHS))
        # Ours moves step by step: the same at the first step of each epoch.
        ours = rates("linear", **found.implies)
        assert ours[::STEPS_PER_EPOCH] == pytest.approx(expected[::STEPS_PER_EPOCH], rel=1e-9)
    else:
        assert found.implies == {}


def test_what_is_not_here_is_not_found_and_says_what_is() -> None:
    names = {schedule.name for schedule in SCHEDULES}
    for spelling, reason in NO_SCHEDULES.items():
        assert find("schedule", spelling) is None, spelling
        assert any(name in reason for name in names) or "warmup_epochs" in reason, spelling


def test_piecewise_constant_by_hand() -> None:
    # Boundaries after 2 and after 5.5 epochs of 5 steps: at steps 10 and 28 (27.5 rounded to an even step).
    seen = rates("piecewise_constant", boundaries=[2.0, 5.5], fractions=[0.5, 2.0])
    assert seen == [LEARNING_RATE] * 10 + [LEARNING_RATE * 0.5] * 18 + [LEARNING_RATE * 2.0] * 32
    with pytest.raises(ValueError, match="1 boundaries and 2 fractions"):
        rates("piecewise_constant", boundaries=[2.0], fractions=[0.5, 0.1])


@pytest.mark.parametrize(
    ("parameters", "wrong"),
    [
        ({"boundaries": [2.0, 5.0], "fractions": [0.5, 0.1]}, ""),
        ({"boundaries": [], "fractions": []}, ""),
        ({"boundaries": [2.0, 5.0], "fractions": [1.0, 0.5, 0.1]}, "have 2 and 3 entries"),
        ({"boundaries": [2.0, 2.0], "fractions": [0.5, 0.1]}, "expected each later than the one before"),
    ],
)
def test_what_a_piecewise_schedule_cannot_be_told(parameters: dict[str, Any], wrong: str) -> None:
    declared = get("schedule", "piecewise_constant")
    assert isinstance(declared, Schedule)
    found = declared.contradiction(parameters)
    assert wrong in found
    assert bool(wrong) == bool(found)


def test_inverse_time_by_hand() -> None:
    # 1 / (1 + 0.5 epochs / 2): after 4 epochs a half of it.
    seen = rates("inverse_time", decay=0.5, every=2.0)
    assert seen[20] == LEARNING_RATE / 2
    assert seen[10] == pytest.approx(LEARNING_RATE / 1.5, rel=1e-12)
    stairs = rates("inverse_time", decay=0.5, every=2.0, staircase=True)
    assert stairs[:20] == [LEARNING_RATE] * 10 + [LEARNING_RATE / 1.5] * 10


def test_exponential_step_by_step() -> None:
    # gamma^(epochs / 2): the rates of the stairs at their edges, their geometric means between them.
    smooth = rates("exponential", gamma=0.25, every=2.0, staircase=False)
    assert smooth[::10] == pytest.approx(rates("exponential", gamma=0.25, every=2.0)[::10], rel=1e-12)
    assert smooth[5] == pytest.approx(LEARNING_RATE / 2, rel=1e-12)


def test_restarts_of_falling_height() -> None:
    # Keras' m_mul: the second cosine, of double length, begins at half the rate.
    seen = rates("cosine_restarts", first_epochs=4.0, growth=2.0, peak_factor=0.5)
    assert seen[20] == LEARNING_RATE / 2
    assert seen[40] == pytest.approx(LEARNING_RATE / 4, rel=1e-12)


@pytest.mark.parametrize("schedule", COMPONENTS["schedule"], ids=lambda s: s.name)
def test_a_schedule_knows_whether_it_follows_the_run(schedule: Schedule) -> None:
    parameters = filled(schedule.name)
    longer = rates(schedule.name, epochs=EPOCHS + 3)[:STEPS]
    assert schedule.follows_the_run(parameters) == (rates(schedule.name) != longer)
    if "over_epochs" in parameters:
        parameters["over_epochs"] = 4.0
        assert not schedule.follows_the_run(parameters)
        assert rates(schedule.name, over_epochs=4.0) == rates(schedule.name, epochs=EPOCHS + 3, over_epochs=4.0)[:STEPS]


def test_warmup_rises_in_a_straight_line_to_the_rate() -> None:
    # Two epochs of five steps: 1/10, 2/10, ... 10/10 of the rate, then the rate.
    seen = rates("constant", warmup_epochs=2.0)
    assert seen[:10] == pytest.approx([LEARNING_RATE * k / 10 for k in range(1, 11)], rel=1e-12)
    assert set(seen[10:]) == {LEARNING_RATE}


def test_warmup_is_torchs_linear() -> None:
    warmup = torchs(lr_scheduler.LinearLR, 10, start_factor=0.1, end_factor=1.0, total_iters=9)
    assert rates("constant", warmup_epochs=2.0)[:10] == pytest.approx(warmup, rel=1e-12)


@pytest.mark.parametrize("name", ["linear", "polynomial", "cosine", "cosine_restarts", "cyclic", "one_cycle"])
def test_what_spans_a_time_begins_after_the_warmup(name: str) -> None:
    warm = rates(name, warmup_epochs=2.0)
    assert warm[10:] == pytest.approx(rates(name, epochs=EPOCHS - 2), rel=1e-12)
    first = rates(name)[0]
    assert warm[:10] == pytest.approx([first * k / 10 for k in range(1, 11)], rel=1e-12)


@pytest.mark.parametrize(
    "name", ["step", "multi_step", "piecewise_constant", "reduced_start", "exponential", "inverse_time"]
)
def test_what_counts_counts_from_the_start_of_the_run(name: str) -> None:
    assert rates(name, warmup_epochs=2.0)[10:] == rates(name)[10:]


def test_warmup_as_long_as_the_run() -> None:
    seen = rates("cosine", epochs=2, warmup_epochs=2.0)
    assert seen == pytest.approx([LEARNING_RATE * k / 10 for k in range(1, 11)], rel=1e-12)
    assert all(0 < value <= LEARNING_RATE for value in rates("one_cycle", epochs=2, warmup_epochs=2.0))


def test_stairs_count_from_the_start_of_the_run() -> None:
    # One epoch of warm-up; the stair still comes after three epochs.
    seen = rates("step", every=3, gamma=0.5, warmup_epochs=1.0)
    assert seen[14] == LEARNING_RATE
    assert seen[15] == LEARNING_RATE / 2


@pytest.mark.parametrize("name", ["linear", "polynomial", "cosine"])
def test_beyond_its_end_the_last_share_stays(name: str) -> None:
    position = {"step": 100, "steps_per_epoch": 5, "epochs": 4, "learning_rate": LEARNING_RATE}
    beyond = rate(name, **position, **filled(name, final_fraction=0.25))
    assert beyond == pytest.approx(LEARNING_RATE / 4, rel=1e-12)


@pytest.mark.parametrize("steps_per_epoch", [1, 7])
@pytest.mark.parametrize("declared", SCHEDULES, ids=lambda d: d.name)
def test_every_rate_is_one_to_train_with(declared: Schedule, steps_per_epoch: int) -> None:
    """Never negative, never above the configured one by default, in runs of every length."""
    for epochs in (1, 2, 5):
        for step in range(epochs * steps_per_epoch):
            value = rate(
                declared.name,
                step=step,
                steps_per_epoch=steps_per_epoch,
                epochs=epochs,
                learning_rate=LEARNING_RATE,
                **filled(declared.name),
            )
            assert 0 <= value <= LEARNING_RATE


@given(
    values=st.lists(
        st.one_of(st.floats(-10, 10, allow_nan=False), st.sampled_from([float("nan"), float("inf")])), max_size=40
    ),
    factor=st.sampled_from([0.1, 0.5]),
    patience=st.integers(0, 3),
    cooldown=st.integers(0, 3),
    threshold=st.sampled_from([0.0, 1e-4, 0.1]),
    min_rate=st.sampled_from([0.0, 0.03]),
    mode=st.sampled_from(["min", "max"]),
)
@settings(max_examples=100)
def test_plateau_is_torchs(values, factor, patience, cooldown, threshold, min_rate, mode):
    optimizer = SGD([torch.zeros(1, requires_grad=True)], lr=LEARNING_RATE)
    scheduler = lr_scheduler.ReduceLROnPlateau(
        optimizer,
        mode=mode,
        factor=factor,
        patience=patience,
        threshold=threshold,
        cooldown=cooldown,
        min_lr=min_rate,
        eps=0.0,
    )
    plateau = Plateau(factor, patience, threshold, cooldown, min_rate, mode)
    state = plateau.start()
    for value in values:
        scheduler.step(value)
        # Through a checkpoint at every epoch.
        state = PlateauState.from_numbers(plateau.after(state, value).numbers())
        assert plateau.rate(state, LEARNING_RATE) == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-12)
        assert (state.best, state.bad_epochs, state.cooldown_left) == (
            scheduler.best,
            scheduler.num_bad_epochs,
            scheduler.cooldown_counter,
        )


def test_plateau_by_hand():
    plateau = Plateau(factor=0.5, patience=1, threshold=0.0, cooldown=0, min_rate=0.0, mode="min")
    state = plateau.start()
    # One bad epoch is allowed, the second halves the rate.
    for value, expected in [(1.0, 1.0), (1.0, 1.0), (1.0, 0.5), (0.9, 0.5), (0.9, 0.5), (0.9, 0.25)]:
        state = plateau.after(state, value)
        assert plateau.rate(state, 1.0) == expected


def test_plateau_never_raises_the_rate():
    plateau = Plateau(factor=0.5, patience=0, threshold=0.0, cooldown=0, min_rate=0.1, mode="min")
    state = plateau.after(plateau.after(plateau.start(), 1.0), 1.0)
    assert plateau.rate(state, 0.05) == 0.05

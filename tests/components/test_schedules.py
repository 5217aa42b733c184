"""The schedules against torch's own, actually run."""

from dataclasses import fields

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.optim import SGD, lr_scheduler

from lossrun.catalog.schedules import SCHEDULES
from lossrun.components.schedules import Plateau, PlateauState, rate

LEARNING_RATE = 0.2
EPOCHS, STEPS_PER_EPOCH = 12, 5


def rates(name: str, epochs: int = EPOCHS, **parameters) -> list[float]:
    return [
        rate(
            name,
            step=step,
            steps_per_epoch=STEPS_PER_EPOCH,
            epochs=epochs,
            learning_rate=LEARNING_RATE,
            **parameters,
        )
        for step in range(epochs * STEPS_PER_EPOCH)
    ]


def torchs(scheduler_class, count: int, **parameters) -> list[float]:
    """The learning rates of so many steps of one of torch's schedulers."""
    optimizer = SGD([torch.zeros(1, requires_grad=True)], lr=LEARNING_RATE)
    scheduler = scheduler_class(optimizer, **parameters)
    seen = []
    for _ in range(count):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return seen


def per_step(epoch_rates: list[float]) -> list[float]:
    return [value for value in epoch_rates for _ in range(STEPS_PER_EPOCH)]


@pytest.mark.parametrize("declared", SCHEDULES, ids=lambda d: d.name)
def test_every_declared_schedule_takes_its_declared_parameters(declared):
    declared_defaults = {p.name: p.default for p in declared.parameters}
    assert rates(declared.name, **declared_defaults)[0] == LEARNING_RATE
    if declared.name == "reduce_on_plateau":
        # What to watch is the loop's to find out, and the warm-up is `rate`'s.
        assert {f.name for f in fields(Plateau)} == set(declared_defaults) - {"metric", "warmup_epochs"}
        return
    for name in set(declared_defaults) - {"warmup_epochs"}:
        with pytest.raises(TypeError, match=name):
            rates(declared.name, **{key: value for key, value in declared_defaults.items() if key != name})


def test_unknown_schedule_or_parameter():
    with pytest.raises(ValueError, match="unknown schedule 'linear'"):
        rates("linear")
    with pytest.raises(TypeError, match="gama"):
        rates("exponential", gama=0.9)


def test_step_is_torchs():
    expected = per_step(torchs(lr_scheduler.StepLR, EPOCHS, step_size=5, gamma=0.3))
    assert rates("step", every=5, gamma=0.3) == pytest.approx(expected, rel=1e-12)


def test_exponential_is_torchs():
    expected = per_step(torchs(lr_scheduler.ExponentialLR, EPOCHS, gamma=0.9))
    assert rates("exponential", gamma=0.9) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("final_fraction", [0.0, 0.1])
def test_cosine_is_torchs(final_fraction):
    total = EPOCHS * STEPS_PER_EPOCH
    expected = torchs(lr_scheduler.CosineAnnealingLR, total, T_max=total, eta_min=final_fraction * LEARNING_RATE)
    # torch multiplies step by step, so its rounding errors add up.
    assert rates("cosine", final_fraction=final_fraction) == pytest.approx(expected, rel=1e-9)


def test_warmup_rises_in_a_straight_line_to_the_rate():
    # Two epochs of five steps: 1/10, 2/10, ... 10/10 of the rate, then the rate.
    seen = rates("constant", warmup_epochs=2.0)
    assert seen[:10] == pytest.approx([LEARNING_RATE * k / 10 for k in range(1, 11)], rel=1e-12)
    assert set(seen[10:]) == {LEARNING_RATE}


def test_warmup_is_torchs_linear():
    warmup = torchs(lr_scheduler.LinearLR, 10, start_factor=0.1, end_factor=1.0, total_iters=9)
    assert rates("constant", warmup_epochs=2.0)[:10] == pytest.approx(warmup, rel=1e-12)


def test_cosine_falls_over_what_the_warmup_leaves():
    warm = rates("cosine", warmup_epochs=2.0, final_fraction=0.0)
    assert warm[10:] == pytest.approx(rates("cosine", epochs=EPOCHS - 2, final_fraction=0.0), rel=1e-12)


def test_warmup_as_long_as_the_run():
    seen = rates("cosine", epochs=2, warmup_epochs=2.0, final_fraction=0.0)
    assert seen == pytest.approx([LEARNING_RATE * k / 10 for k in range(1, 11)], rel=1e-12)


def test_stairs_count_from_the_start_of_the_run():
    # One epoch of warm-up; the stair still comes after three epochs.
    seen = rates("step", every=3, gamma=0.5, warmup_epochs=1.0)
    assert seen[14] == LEARNING_RATE
    assert seen[15] == LEARNING_RATE / 2


def test_cosine_stays_down_beyond_its_end():
    beyond = rate("cosine", step=100, steps_per_epoch=5, epochs=4, learning_rate=LEARNING_RATE, final_fraction=0.25)
    assert beyond == pytest.approx(LEARNING_RATE / 4, rel=1e-12)


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
@settings(max_examples=100, deadline=None)
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

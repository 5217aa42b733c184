import json
from math import inf, isnan

import pytest

from lossrun.analysis.learning_curves import learning_curves
from lossrun.analysis.values.mean_curve import mean_curve
from lossrun.errors import UsageError
from lossrun.records import history, recorded

HUBER = {"name": "huber", "delta": 1.0, "reduction": "mean"}


def rows(epoch: int, seed: int) -> dict[str, float]:
    return {"train_loss": 2.0 / epoch, "val_loss": 1.0 / epoch + seed, "val_rmse": 4.0 / epoch, "val_mae": 1.0 * epoch}


def columns(panel) -> list[tuple[int, str]]:
    return [(curve.run, curve.column) for curve in panel.curves]


def test_a_curve_is_the_mean_between_the_lowest_and_the_highest_seed(make_run):
    run = make_run(
        rows=lambda epoch, seed: {"val_loss": epoch + 3.0 * seed}, config={"seeds": [0, 1, 2]}, epochs_done=2
    )
    curve = mean_curve(run, "val_loss")
    # Seeds 0, 1, 2: epoch, epoch + 3, epoch + 6.
    assert (curve.xs, curve.means, curve.lows, curve.highs) == ((1, 2), (4.0, 5.0), (1.0, 2.0), (7.0, 8.0))
    assert curve.seeds == 3
    assert mean_curve(run, "val_rmse") is None


def test_over_steps_and_over_seconds(make_run):
    run = make_run(rows=rows, config={"seeds": [0, 1]})
    # As conftest writes runs: 3 steps an epoch, and half a second that both seeds share.
    assert mean_curve(run, "val_rmse", "step").xs == (3, 6, 9, 12)
    assert mean_curve(run, "val_rmse", "seconds").xs == (0.5, 1.0, 1.5, 2.0)


def test_a_seed_that_is_not_finite_leaves_a_gap_and_is_never_averaged_away(make_run):
    run = make_run(rows=lambda e, seed: {"val_loss": inf if (e, seed) == (2, 1) else 1.0}, config={"seeds": [0, 1]})
    curve = mean_curve(run, "val_loss")
    assert [isnan(mean) for mean in curve.means] == [False, True, False, False]
    assert [isnan(low) for low in curve.lows] == [False, True, False, False]


def test_where_a_seed_stops_the_mean_is_over_the_others_and_that_is_said(make_run):
    run = make_run(rows=rows, config={"seeds": [0, 1]}, epochs_done=2)
    lone = [row for row in make_run("lone", rows=rows).history.rows if row["epoch"] > 2]
    with (run.path / "history.jsonl").open("a") as file:
        file.writelines(json.dumps(row) + "\n" for row in lone)
    found = learning_curves([recorded.load(run.path)], ["val_loss"])
    # Two seeds: 1 / epoch + 1/2; then seed 0 alone: 1 / epoch.
    assert found.panels[0].curves[0].means == (1.5, 1.0, 1 / 3, 0.25)
    assert "after a seed stops, the mean is over the remaining seeds" in found.notes


def test_the_usual_metric_is_the_primary_metric_unless_the_configs_say_otherwise(make_run):
    assert [panel.name for panel in learning_curves([make_run(rows=rows)]).panels] == ["val_rmse"]
    asked = make_run("asked", rows=rows, config={"compare_on": "L1Loss"})
    assert [panel.name for panel in learning_curves([asked]).panels] == ["val_mae"]
    bare = make_run(
        "bare", rows=lambda epoch, seed: {"train_loss": 1.0}, config={"best": {"metric": "train_loss", "mode": "min"}}
    )
    assert [panel.name for panel in learning_curves([bare]).panels] == ["train_loss"]


def test_metrics_go_by_any_spelling_and_loss_is_both(make_run):
    found = learning_curves([make_run(rows=rows)], ["root_mean_squared_error", "loss", "lr", "val_loss"])
    assert [panel.name for panel in found.panels] == ["val_rmse", "loss", "learning_rate", "val_loss"]
    assert columns(found.panels[1]) == [(0, "val_loss"), (0, "train_loss")]
    assert (found.panels[0].units, found.panels[1].loss) == ("targets", "mse")


@pytest.mark.parametrize("metric", ["accuracy", "test_rmse", "train_rmse", "nonsense"])
def test_what_no_run_has_is_refused_by_name(make_run, metric):
    with pytest.raises(UsageError, match=f"--metric {metric}: "):
        learning_curves([make_run(rows=rows)], [metric])


def test_unlike_losses_never_share_an_axis(make_run):
    mse, huber = make_run("a", rows=rows), make_run("b", rows=rows, config={"loss": HUBER})
    other = make_run("c", rows=rows, config={"learning_rate": 0.5})
    found = learning_curves([mse, huber, other], ["loss"])
    assert [sorted({curve.run for curve in panel.curves}) for panel in found.panels] == [[0, 2], [1]]
    assert [panel.loss for panel in found.panels] == ["mse", "huber(delta=1.0)"]
    assert any("are different losses" in note for note in found.notes)
    # Metrics mean the same for all.
    assert len(learning_curves([mse, huber, other]).panels) == 1
    # The gradient's norm is that of the loss.
    assert len(learning_curves([mse, huber, other], ["grad_norm"]).panels) == 2


def test_other_validation_data_never_share_an_axis_and_other_test_data_may(make_run):
    def run(name, **data):
        return make_run(name, rows=rows, environment={"data": {"train": "a", "validation": "b", "test": "c"} | data})

    apart = learning_curves([run("a"), run("b", validation="x")])
    assert len(apart.panels) == 2
    assert any("validation data differ" in note for note in apart.notes)
    together = learning_curves([run("c"), run("d", test="x")])
    assert len(together.panels) == 1
    assert not any("data differ" in note for note in together.notes)


def test_the_axis_is_logarithmic_above_two_decades_and_says_so(make_run):
    for top, log in ((99.0, False), (101.0, True)):
        run = make_run(f"to-{top:g}", rows=lambda epoch, seed, top=top: {"val_rmse": top if epoch == 1 else 1.0})
        found = learning_curves([run])
        assert found.panels[0].log is log
        assert any("2.0 decades" in note for note in found.notes) is log
        assert learning_curves([run], log=False).panels[0].log is False
        assert learning_curves([run], log=True).panels[0].log is True
    share = make_run("share", rows=lambda epoch, seed: {"val_r2": 0.9 if epoch > 1 else 0.001})
    assert not learning_curves([share], ["r2"]).panels[0].log


def test_a_logarithm_of_nothing_above_zero_is_refused(make_run):
    run = make_run(rows=lambda epoch, seed: {"val_r2": -1.0 * epoch})
    with pytest.raises(UsageError, match="no value of val_r2 is above 0"):
        learning_curves([run], ["r2"], log=True)
    mixed = make_run("mixed", rows=lambda epoch, seed: {"val_r2": epoch - 2.0})
    assert any("left out" in note for note in learning_curves([mixed], ["r2"], log=True).notes)


def test_what_cannot_be_drawn_is_refused(make_run):
    run = make_run(rows=rows)
    with pytest.raises(UsageError, match="given twice"):
        learning_curves([run, run])
    with pytest.raises(UsageError, match="no epoch is finished yet"):
        learning_curves([make_run("new", rows=rows, epochs_done=0)])
    with pytest.raises(UsageError, match="NaN or infinity in every epoch"):
        learning_curves([make_run("lost", rows=lambda epoch, seed: {"val_rmse": inf})])


def test_a_run_without_the_column_is_named(make_run):
    other = make_run("b", rows=lambda epoch, seed: {"val_mae": 1.0}, config={"learning_rate": 0.5})
    found = learning_curves([make_run("a", rows=rows), other], ["rmse"])
    assert columns(found.panels[0]) == [(0, "val_rmse")]
    assert "lr=0.5 has no val_rmse" in found.notes


def test_a_long_curve_keeps_its_extremes(make_run):
    peaks = {7777: 50.0, 13210: -50.0}
    files = make_run(rows=rows, epochs_done=0).path
    epochs = range(1, 20_001)
    values = {epoch: peaks.get(epoch, (epoch * 7919) % 100 / 100) for epoch in epochs}
    history.append(
        files / "history.jsonl", [{"epoch": e, "step": e, "seed": 0, "val_r2": value} for e, value in values.items()]
    )
    curve = mean_curve(recorded.load(files), "val_r2")
    assert len(curve.xs) < len(epochs) / 2
    assert (curve.xs[0], curve.xs[-1]) == (1, 20_000)
    assert {epoch: curve.means[curve.xs.index(epoch)] for epoch in peaks} == peaks
    assert all(values[x] == mean for x, mean in zip(curve.xs, curve.means, strict=True))

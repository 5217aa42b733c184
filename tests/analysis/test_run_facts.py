from lossrun.analysis.run_facts import facts
from tests.analysis.test_runs import rows


def test_facts_hold_best_and_last_of_every_metric(make_run):
    found = facts(make_run(rows=rows))
    shown = {y.name: y for y in found.metrics}
    assert (shown["val_rmse"].at_best.mean, shown["val_rmse"].at_last.mean) == (0.5, 0.25)
    assert (shown["test_rmse"].at_best.mean, shown["test_rmse"].at_last.mean) == (0.5, 0.75)
    assert found.best_epochs == {0: 2}
    assert found.seconds == 2.0  # four epochs of half a second

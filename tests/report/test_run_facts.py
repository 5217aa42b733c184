from lossrun.analysis.run_facts import facts
from lossrun.records import ledger, recorded
from lossrun.report.run_facts import print_facts
from tests.report.test_runs import rows, shown


def test_show_says_everything_about_a_run(make_run):
    run = make_run(rows=rows)
    ledger.append(run.path / "ledger.jsonl", "resumed", step=12, changes={"epochs": [4, 6]})
    for seed in (0, 1):  # within one second, as a rule
        ledger.append(run.path / "ledger.jsonl", "diverged", seed=seed)
    text = shown(print_facts, facts(recorded.load(run.path)), 10_000, terminal=False)
    assert "4 of 6, 2.00 s" in text
    assert "best val_loss  epoch 4\n" in text
    assert "trained further after its results were known" in text
    assert "step 12, epochs: 4 -> 6" in text
    assert "b" * 64 in text
    assert "seed 0\n" in text
    assert "seed 1\n" in text
    line, curve = [line for line in text.splitlines() if line.startswith("val_rmse")]
    assert line.split() == ["val_rmse", "lower", "0.1250", "0.1250"]
    # 0.5 / epoch, from the first of four epochs to the last.
    assert (curve.split()[:2], curve.split()[-1]) == (["val_rmse", "0.5000"], "0.1250")
    assert len(curve.split()[2]) == 4
    assert "\nNo checkpoints.\n" in text

import io

import pytest
from rich.console import Console

from lossrun.catalog.declaration import Layer
from lossrun.report.training import banner, ending, progress_bar

LAYERS = [Layer("hidden1", "dense", (32,), 352), Layer("output", "dense", (1,), 33)]
BEST = {"metric": "val_loss", "mode": "min"}


def printed(draw, *, width=80, terminal=True, term="dumb") -> str:
    file = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="\n")
    draw(
        Console(
            file=file, width=width, height=50, force_terminal=terminal, _environ={"TERM": term, "COLUMNS": str(width)}
        )
    )
    file.seek(0)
    return file.read()


def finished(at_best, at_last=None, *, seeds=1, best_epochs=None):
    return {
        "epoch": 6,
        "seconds": 12.34,
        "seeds": {
            str(seed): {
                "best_epoch": best_epochs[seed] if best_epochs else 5,
                "test_at_best": {name: value + seed for name, value in at_best.items()},
                "test_at_last": {name: value + seed for name, value in (at_last or at_best).items()},
            }
            for seed in range(seeds)
        },
    }


def ended(facts, **options):
    return printed(lambda console: ending(console, facts, BEST, ["lossrun show last"]), **options)


def test_a_banner_aligns_what_it_wraps_and_totals_the_parameters():
    facts = {"data": "many words " * 12, "run": "runs/" + "x" * 90}
    lines = printed(lambda console: banner(console, facts, LAYERS)).splitlines()
    assert lines[0].startswith("data  many words")
    assert lines[1].startswith("      ")
    assert facts["run"] in [line.strip() for line in lines]
    assert "total                          385" in lines
    assert [line for line in lines if line != line.rstrip()] == []


def test_a_model_of_the_users_own_has_no_layers():
    assert printed(lambda console: banner(console, {"model": "mine"}, [])) == "model  mine\n"


def test_an_ending_names_the_best_epoch_and_what_to_do_next():
    text = ended(finished({"test_rmse": 0.5}, {"test_rmse": 0.75}))
    assert "best epoch 5 of 6 (lowest val_loss); 12.3 s in total\n" in text
    assert "test_rmse      0.5000      0.7500\n" in text
    assert text.endswith("\n  lossrun show last\n")


def test_a_command_is_never_broken():
    command = "lossrun resume " + "name-" * 20 + " --set epochs=12"
    text = printed(lambda console: ending(console, finished({}), BEST, [command]))
    assert command in text.splitlines()[-1]


@pytest.mark.parametrize(
    ("names", "first"),
    [
        (["test_loss", "test_mse", "test_mae", "test_rmse", "test_r2"], ["test_rmse", "test_mae"]),
        (["test_loss", "test_mae", "test_macro_f1", "test_accuracy"], ["test_accuracy", "test_macro_f1"]),
    ],
)
def test_primary_metrics_come_first(names, first):
    lines = ended(finished(dict.fromkeys(names, 0.5))).splitlines()
    shown = [line.split()[0] for line in lines if line.startswith("test_")]
    assert shown[: len(first)] == first
    assert sorted(shown) == sorted(names)


def test_best_and_last_are_one_column_where_they_are_equal():
    assert "metric     best = last epoch" in ended(finished({"test_rmse": 0.5}))


def test_several_seeds_show_spread_and_their_best_epochs():
    text = ended(finished({"test_rmse": 0.5}, seeds=3, best_epochs=[2, 5, None]))
    assert "best epochs 2, 5, - of 6" in text
    assert "1.500 ± 1.0" in text  # 0.5, 1.5, 2.5
    assert "best epoch 5 of 6" in ended(finished({"test_rmse": 0.5}, seeds=10))


def test_a_run_without_test_data_ends_without_a_table():
    facts = finished({})
    for seed in facts["seeds"].values():
        del seed["test_at_best"], seed["test_at_last"]
    assert "metric" not in ended(facts)


def feed(console, *, hidden=False):
    with progress_bar(console, 3, hidden=hidden) as show:
        show(2, 5, 10)


def test_a_bar_is_drawn_on_a_terminal_only():
    assert "epoch 2/3" in printed(feed, term="xterm")
    assert printed(feed, term="dumb") == printed(feed, terminal=False) == ""
    assert printed(lambda console: feed(console, hidden=True), term="xterm") == ""

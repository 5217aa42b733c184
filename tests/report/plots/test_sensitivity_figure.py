"""The figure of a sweep: its labels are inside the page and not over each other, whatever the pairs are called."""

from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

from lossrun.analysis.sweeps.sensitivity import HeatMap, Sensitivity, SensitivityLine
from lossrun.analysis.values.readings import Spread
from lossrun.report.plots.sensitivity_figure import save_sensitivity

NESTEROV = "sgd(momentum=0.9,nesterov=true)"
MAPS = {
    "short names": (["mse", "mae"], ["sgd", "adam"]),
    "long names": (["mse", "huber(delta=2)", "focal(gamma=2,label_smoothing=0.1)"], [NESTEROV, NESTEROV + " "]),
    "many columns": (["mse", "huber(delta=2)"], [f"optimizer{number}" for number in range(9)]),
    "many of both": ([f"loss{number}" for number in range(7)], [NESTEROV, *(f"optimizer{i}" for i in range(6))]),
}


@pytest.mark.parametrize(("rows", "columns"), MAPS.values(), ids=list(MAPS))
def test_no_label_is_cut_or_over_another(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, rows: list[str], columns: list[str]
) -> None:
    # Scores of four digits, the widest there are.
    scores = tuple(
        tuple(Spread({}, 0.1234 + row + column, None) for column in range(len(columns))) for row in range(len(rows))
    )
    pairs = [f"loss={row} optimizer={column}" for row in rows for column in columns]
    spreads = tuple(Spread({}, mean, 0.1) for mean in (3.0, 1.0, 2.0))
    lines = tuple(SensitivityLine(number, name, (0.01, 0.1, 1.0), spreads) for number, name in enumerate(pairs))
    drawn: list[Figure] = []

    def kept(figure: Figure, *args: Any, **options: Any) -> None:
        figure.draw_without_rendering()
        drawn.append(figure)

    monkeypatch.setattr(Figure, "savefig", kept)
    map_ = HeatMap(("loss", "optimizer"), tuple(rows), tuple(columns), scores, "val_rmse", "min")
    save_sensitivity(Sensitivity("learning_rate", "val_rmse", "min", True, lines), tmp_path / "f.png", map_)
    (figure,) = drawn
    unseen = {
        label
        for axes in figure.findobj(Axes)
        for axis in (axes.xaxis, axes.yaxis)
        for place, label in zip(axis.get_ticklocs(), axis.get_ticklabels(), strict=True)
        if not min(axis.get_view_interval()) <= place <= max(axis.get_view_interval())
    }
    every = [text for text in figure.findobj(Text) if text.get_text().strip()]
    texts = [text for text in every if text.get_visible() and text not in unseen]
    places = {text: text.get_window_extent() for text in texts}
    assert len(places) > len(pairs)
    for text, box in places.items():
        within = box.x0 >= 0 and box.y0 >= 0 and box.x1 <= figure.bbox.x1 and box.y1 <= figure.bbox.y1
        assert within, f"{text.get_text()!r} is cut"
    for one, other in combinations(texts, 2):
        assert not places[one].overlaps(places[other]), f"{one.get_text()!r} is over {other.get_text()!r}"

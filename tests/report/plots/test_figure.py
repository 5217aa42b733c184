"""Figures are drawn into files, and the files are read back."""

import re
import struct
import xml.etree.ElementTree as ElementTree
from itertools import combinations, pairwise

import pytest

from lossrun.analysis.learning_curves import learning_curves
from lossrun.errors import RunError, UsageError
from lossrun.report.plots.figure import COLOURS, save_figure

HUBER = {"name": "huber", "delta": 1.0, "reduction": "mean"}
SVG = "{http://www.w3.org/2000/svg}"


def rows(epoch: int, seed: int) -> dict[str, float]:
    return {"train_loss": 2.0 / epoch, "val_loss": 1.0 / epoch + seed, "val_rmse": 4.0 / epoch + seed}


@pytest.fixture
def runs(make_run):
    seeds = {"seeds": [0, 1]}
    return [
        make_run("a", rows=rows, config=seeds),
        make_run("b", rows=rows, config=seeds | {"loss": HUBER, "learning_rate": 0.5}),
        make_run("c", rows=rows, config={"learning_rate": 0.5}),
    ]


def svg(path):
    """The ids of curves and bands, and all texts, of a picture."""
    root = ElementTree.parse(path).getroot()
    ids = [name for group in root.iter(f"{SVG}g") if (name := group.get("id", "")).startswith("panel")]
    return ids, ["".join(text.itertext()) for text in root.iter(f"{SVG}text")]


def test_a_line_for_each_run_and_a_band_where_there_are_seeds(runs, tmp_path):
    save_figure(learning_curves(runs), tmp_path / "f.svg")
    ids, texts = svg(tmp_path / "f.svg")
    assert sorted(ids) == [
        "panel0-run0-val_rmse", "panel0-run0-val_rmse-band", "panel0-run1-val_rmse", "panel0-run1-val_rmse-band",
        "panel0-run2-val_rmse",
    ]  # fmt: skip
    wanted = {"loss=mse, lr=0.1", "loss=huber, lr=0.5", "loss=mse, lr=0.5", "epoch"}
    assert wanted | {"validation rmse (units of targets)"} <= set(texts)
    assert "lines: means; bands: range of 2 seeds" in texts


def test_unlike_losses_have_a_panel_each_and_training_is_dashed(runs, tmp_path):
    save_figure(learning_curves(runs, ["loss"]), tmp_path / "f.svg")
    ids, texts = svg(tmp_path / "f.svg")
    lines = {name for name in ids if not name.endswith("-band")}
    drawn = ("panel0-run0", "panel0-run2", "panel1-run1")
    assert lines == {f"{curve}-{column}" for curve in drawn for column in ("val_loss", "train_loss")}
    assert {"loss: mse", "loss: huber(delta=1.0)", "validation", "training"} <= set(texts)
    assert {name for name in ids if name.endswith("-band")} == {
        f"{curve}-val_loss-band" for curve in drawn[:1] + drawn[2:]
    }
    assert "lines: means; bands: range of 2 seeds (validation)" in texts
    written = (tmp_path / "f.svg").read_text(encoding="utf-8")
    for name in lines:
        group = written.partition(f'<g id="{name}">')[2].partition("</g>")[0]
        assert ("stroke-dasharray" in group) == name.endswith("train_loss")


def test_dashes_have_one_meaning_in_a_figure(runs, tmp_path):
    save_figure(learning_curves(runs, ["loss", "rmse"]), tmp_path / "f.svg")
    written = (tmp_path / "f.svg").read_text(encoding="utf-8")
    for run in range(3):
        group = written.partition(f'<g id="panel2-run{run}-val_rmse">')[2].partition("</g>")[0]
        assert "<path" in group
        assert "stroke-dasharray" not in group


def test_a_lone_curve_needs_no_legend(make_run, tmp_path):
    save_figure(learning_curves([make_run(rows=rows)], x_axis="seconds"), tmp_path / "f.svg")
    _, texts = svg(tmp_path / "f.svg")
    words = [text for text in texts if re.search("[a-z]", text)]
    assert sorted(words) == ["validation rmse (units of targets)", "wall time (s)"]


def test_a_logarithmic_axis_has_plain_numbers(make_run, tmp_path):
    run = make_run(rows=lambda epoch, seed: {"val_rmse": 10.0**-epoch})
    save_figure(learning_curves([run]), tmp_path / "f.svg")
    assert {"0.1", "0.01", "0.001", "0.0001"} <= set(svg(tmp_path / "f.svg")[1])


def test_a_png_is_as_wide_as_a_column_at_300_dots_an_inch(runs, tmp_path):
    save_figure(learning_curves(runs), tmp_path / "one.PNG")
    save_figure(learning_curves(runs, ["rmse", "lr"]), tmp_path / "two.png")
    sizes = []
    for name in ("one.PNG", "two.png"):
        header = (tmp_path / name).read_bytes()[:24]
        assert header[:8] == b"\x89PNG\r\n\x1a\n"
        sizes.append(struct.unpack(">II", header[16:24]))
    # 3.5 inches; a further panel adds 2 inches, and versions of matplotlib cut or round what is not a whole dot.
    assert [width for width, _ in sizes] == [1050, 1050]
    assert abs(sizes[1][1] - sizes[0][1] - 600) <= 1


def test_a_pdf_embeds_its_fonts_as_true_type(runs, tmp_path):
    save_figure(learning_curves(runs), tmp_path / "f.pdf")
    written = (tmp_path / "f.pdf").read_bytes()
    assert written.startswith(b"%PDF")
    assert b"/FontFile2" in written
    assert b"/CIDFontType2" in written
    assert b"/Type3" not in written


@pytest.mark.parametrize("ending", ["svg", "pdf", "png"])
def test_the_same_curves_are_the_same_bytes(runs, tmp_path, ending, monkeypatch):
    import matplotlib

    first, second = tmp_path / f"first.{ending}", tmp_path / f"second.{ending}"
    save_figure(learning_curves(runs), first)
    # What the user has set up elsewhere has no part in it, and is left as it was.
    with matplotlib.rc_context({"lines.linewidth": 9, "font.size": 20}):
        save_figure(learning_curves(runs), second)
        assert matplotlib.rcParams["font.size"] == 20
    assert first.read_bytes() == second.read_bytes()


def luminance(colour: str) -> float:
    """WCAG 2.2, relative luminance."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted(map(luminance, (one, other)))
    return (high + 0.05) / (low + 0.05)


def test_colours_differ_in_luminance_and_from_paper():
    assert len(set(COLOURS)) == len(COLOURS)
    # So that a grey print tells four runs apart, and neighbours in the legend always; dashes and marks differ besides.
    assert min(contrast(*pair) for pair in combinations(COLOURS[:4], 2)) > 1.45
    assert min(contrast(*pair) for pair in pairwise(COLOURS)) > 1.2
    assert min(contrast(colour, "#FFFFFF") for colour in COLOURS) > 2


def test_runs_differ_in_marks_and_dashes(make_run, tmp_path):
    many = [make_run(f"r{n}", rows=rows, config={"learning_rate": 0.1 + n}) for n in range(9)]
    save_figure(learning_curves(many), tmp_path / "f.svg")
    written = (tmp_path / "f.svg").read_text(encoding="utf-8")
    looks = []
    for number in range(9):
        group = written.partition(f'<g id="panel0-run{number}-val_rmse">')[2]
        dash = re.search(r"stroke-dasharray: ([\d., ]+)", group.partition("</path>")[0].partition("/>")[0])
        marker = re.search(r'<defs>\s*<path id="(\w+)"', group)
        colour = re.search(r"stroke: (#\w+)", group)
        looks.append((dash and dash[1], marker[1], colour[1] if colour else "#000000"))
    assert len(set(looks)) == 9
    assert len({(dash, marker) for dash, marker, _ in looks}) == 9  # without colour too


def test_any_characters_may_be_in_a_label(make_run, tmp_path):
    names = ["$x_1$ and $", "a_b^c & <d> 日本"]
    datasets = [{"name": "csv", "path": name} for name in names]
    runs = [make_run(f"r{n}", rows=rows, config={"dataset": dataset}) for n, dataset in enumerate(datasets)]
    for ending in ("svg", "png", "pdf"):
        save_figure(learning_curves(runs), tmp_path / f"f.{ending}")
    texts = svg(tmp_path / "f.svg")[1]
    assert all(any(name in text for text in texts) for name in names)


def test_what_cannot_be_written_is_refused(runs, tmp_path):
    curves = learning_curves(runs)
    for name, said in (("f.gif", ".png, .svg, .pdf"), ("f", ".png, .svg, .pdf"), ("none/f.png", "no folder")):
        with pytest.raises(UsageError, match=re.escape(said)):
            save_figure(curves, tmp_path / name)
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(RunError, match=r"cannot write .*folder\.png: .*; name another file with --output"):
        save_figure(curves, tmp_path / "folder.png")

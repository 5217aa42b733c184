"""The page in a real browser: what it draws, what it shows under the pointer, and that it asks for nothing."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lossrun.analysis.comparison.compare import compare
from lossrun.analysis.report_data import report_data
from lossrun.analysis.values.class_values import of_seeds
from lossrun.catalog.metrics import BY_CLASS
from lossrun.config import from_mapping
from lossrun.data.load import load
from lossrun.records import predictions
from lossrun.records.run_directory import RunDirectory
from lossrun.report.html.page import save_page

pytestmark = pytest.mark.browser

HOSTILE = "<script>document.title = 'taken over'</script><img src=x onerror=\"document.title = 'taken over'\">"


def rising(start: float):
    return lambda epoch, seed: {
        "train_loss": start / epoch**3,
        "val_loss": start / epoch,
        "val_accuracy": 1 - start / (epoch + 1) + 0.001 * seed,
        "val_mse": start / epoch,
    }


@pytest.fixture
def page(make_run, tmp_path) -> Path:
    """Three runs on images of three classes, one of them without probabilities."""
    pixels = np.random.default_rng(0).integers(0, 256, (60, 1, 8, 8), np.uint8)
    np.savez(tmp_path / "images.npz", inputs=pixels, targets=np.arange(60) % 3)
    dataset = {"name": "npz", "path": "images.npz", "target": "targets", "task": "multiclass"}
    settings = {"dataset": dataset, "model": "mlp", "loss": "mse", "optimizer": "sgd", "learning_rate": 0.1}
    dataset = from_mapping(settings, tmp_path).config.to_mapping()["dataset"]
    parameters = {key: value for key, value in dataset.items() if key != "name"}
    data = load("npz", parameters, config_dir=tmp_path, data_dir=tmp_path)
    environment = {"task": "multiclass", "data": data.hashes, "data_dir": str(tmp_path), "directory": str(tmp_path)}
    runs = []
    for number, loss in enumerate(("cross_entropy", "focal", "multi_margin")):
        config = {
            "loss": {"name": loss, "reduction": "mean"},
            "dataset": dataset,
            "seeds": [0, 1, 2],
            "epochs": 8,
            "tags": [HOSTILE],
        }
        run = make_run(f"run-{number}", rows=rising(0.5 - 0.1 * number), config=config, environment=environment)
        outputs = np.random.default_rng(number).dirichlet(np.ones(3), (3, len(data.test)))
        predictions.save(
            RunDirectory(run.path).predictions_path,
            ids=data.test.ids,
            targets=data.test.targets,
            outputs=dict(enumerate(outputs)),
            part="test",
        )
        runs.append(run)
    path = tmp_path / "report.html"
    save_page(report_data(runs, compare(runs)), path)
    return path


def test_nothing_is_complained_of_and_nothing_asked_for(opened, page):
    tab = opened(page)
    tab.value("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert tab.complaints() == []
    assert tab.value("document.title") == "Which loss is better on npz? · lossrun"


@pytest.mark.parametrize("scripts", [True, False])
def test_every_figure_is_drawn(opened, page, scripts):
    tab = opened(page, scripts=scripts)
    # Without scripts of its own the page is still read by ours.
    tab.value("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    boxes = tab.value(
        "[...document.querySelectorAll('figure > svg')].map((svg) => [svg.getBoundingClientRect(), "
        "...[...svg.querySelectorAll('g path, g circle, g rect')].map((mark) => mark.getBoundingClientRect())]"
        ".map((box) => [box.width, box.height]))"
    )
    # Two of verdicts, one of accuracy and three of losses, one that describes, two of the course, two of calibration.
    assert len(boxes) == 11
    for drawing, *marks in boxes:
        assert min(drawing) > 100
        assert any(width > 3 for width, _ in marks)
    images = tab.value("[...document.images].map((image) => [image.complete, image.naturalWidth])")
    # Twelve examples of each of three runs.
    assert images == [[True, 8]] * 36


def test_the_pointer_reads_the_values_of_the_nearest_epoch(opened, page):
    tab = opened(page)
    shown = (
        "(() => { const figure = document.querySelector('figure.curves'); return [figure.querySelector('.at output')"
        ".textContent, ...[...figure.querySelectorAll('li output')].map((one) => one.textContent)]; })()"
    )
    last = tab.value(shown)
    # 1 - start / 9 + 0.001 seed, the mean over seeds 0, 1 and 2: 0.9444 + 0.001 and so on.
    assert last == ["8", "0.9454 ± 0.0010", "0.9566 ± 0.0010", "0.9677 ± 0.0010"]
    left, top, width, _ = tab.box("figure.curves > svg")
    places = tab.value("JSON.parse(document.querySelector('figure.curves script').textContent).x")
    tab.point_at(left + places[2] / 440 * width + 3, top + 60)
    # Epoch 3: 1 - start / 4.
    assert tab.value(shown) == ["3", "0.8760 ± 0.0010", "0.9010 ± 0.0010", "0.9260 ± 0.0010"]
    dots = tab.value(
        "[...document.querySelectorAll('figure.curves')[0].querySelectorAll('.cursor circle')].map((dot) => "
        "+dot.getAttribute('cy'))"
    )
    assert len(dots) == 3
    # A higher accuracy stands higher.
    assert dots == sorted(dots, reverse=True)
    tab.point_at(2, 2)
    assert tab.value(shown) == last


def test_the_arrow_keys_read_them_too(opened, page):
    tab = opened(page)
    tab.value("document.querySelector('figure.curves > svg').focus()")
    at = "document.querySelector('figure.curves .at output').textContent"
    tab.press("ArrowLeft")
    assert tab.value(at) == "7"
    tab.press("Home")
    tab.press("ArrowRight")
    assert tab.value(at) == "2"
    tab.press("Escape")
    assert tab.value(at) == "8"


@pytest.mark.parametrize("scripts", [True, False])
def test_the_switch_makes_the_axis_logarithmic(opened, page, scripts):
    tab = opened(page, scripts=scripts)
    ticks = (
        "[...document.querySelector('figure.curves').querySelectorAll('.tick')]"
        ".filter((one) => one.getBoundingClientRect().width)"
        ".map((one) => one.parentElement.getAttribute('class') + ' ' + one.textContent)"
    )
    before = tab.value(ticks)
    assert before
    assert all(text.startswith("scale linear ") for text in before)
    tab.click("figure.curves .log")
    after = tab.value(ticks)
    assert after
    assert all(text.startswith("scale log ") for text in after)


def test_dark_follows_the_system_and_the_button(opened, page):
    background = "getComputedStyle(document.body).backgroundColor"
    tab = opened(page, dark=True)
    dark = tab.value(background)
    tab.click("#theme")
    light = tab.value(background)
    assert [max(_rgb(dark)) < 60, min(_rgb(light)) > 200] == [True, True]
    tab.click("#theme")
    assert tab.value(background) == dark
    assert opened(page).value(background) == light


@pytest.mark.parametrize("dark", [False, True])
def test_what_is_written_can_be_read_and_lines_can_be_seen(opened, page, dark):
    tab = opened(page, dark=dark)
    paper = _luminance(tab.value("getComputedStyle(document.querySelector('figure')).backgroundColor"))
    text = tab.value("getComputedStyle(document.querySelector('section > p')).color")
    lines = tab.value(
        "[...document.querySelectorAll('.legend .swatch .line')].map((one) => getComputedStyle(one).stroke)"
    )
    # WCAG 2.2: 4.5 to 1 for text, 3 to 1 for what graphics need.
    assert _contrast(_luminance(text), paper) >= 4.5
    for line in lines:
        assert _contrast(_luminance(line), paper) >= 3


@pytest.mark.parametrize("width", [360, 800, 1280])
def test_no_screen_is_too_narrow(opened, page, width):
    tab = opened(page, width=width)
    assert tab.value("document.documentElement.scrollWidth") <= width
    outside = tab.value(
        "[...document.querySelectorAll('figure, .scroll, .verdict, h1')].filter((one) => "
        f"one.getBoundingClientRect().right > {width}).length"
    )
    assert outside == 0


def test_everything_that_can_be_used_is_reached_by_tab(opened, page):
    tab = opened(page)
    reached = []
    for _ in range(60):
        tab.press("Tab")
        reached.append(tab.value("document.activeElement.id || document.activeElement.localName"))
    assert reached[0] == "a"
    assert "theme" in reached
    assert reached.count("input") >= 4
    assert reached.count("svg") >= 4
    assert "summary" in reached


def test_a_page_for_paper_is_light_and_has_no_switches(opened, page):
    tab = opened(page, dark=True)
    tab.ask("Emulation.setEmulatedMedia", media="print")
    assert tab.value("getComputedStyle(document.querySelector('nav')).display") == "none"
    assert tab.value("getComputedStyle(document.querySelector('.switch')).display") == "none"
    assert min(_rgb(tab.value("getComputedStyle(document.querySelector('figure')).backgroundColor"))) > 200


def _rgb(colour: str) -> list[float]:
    """`rgb(1, 2, 3)` -> the three numbers."""
    return [float(part) for part in colour.partition("(")[2].rstrip(")").replace(",", " ").split()[:3]]


def _luminance(colour: str) -> float:
    """Relative luminance, WCAG 2.2."""
    parts = [value / 255 for value in _rgb(colour)]
    red, green, blue = (value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: float, other: float) -> float:
    high, low = max(one, other), min(one, other)
    return (high + 0.05) / (low + 0.05)


# The width of A4 and of Letter at 96 units an inch, less Chromium's own margins of 0.4 inches.
PAPER = {"A4": 8.27 - 0.8, "Letter": 8.5 - 0.8}


@pytest.fixture
def large_page(make_run, tmp_path) -> Path:
    """Eight runs of twelve classes with long names, one of which has diverged; values far from 1."""
    classes = 12
    runs = []
    for number, name in enumerate(("plain", "a-very-long-name-" * 5, *"cdefg", "diverged")):
        rows = {
            "train_loss": lambda epoch, seed: 1234.5678 + 0.0001 * epoch,
            "val_loss": lambda epoch, seed: 0.000125 / epoch,
            "val_accuracy": lambda epoch, seed: 0.999925 + 0.00001 * seed,
            "val_mse": lambda epoch, seed: 1e-7 * (epoch + seed),
        }
        loss = {"name": "cross_entropy", "reduction": "mean", "label_smoothing": 0.0123456789 * number}
        broken = name == "diverged"
        run = make_run(
            name,
            rows=lambda epoch, seed, rows=rows: {key: value(epoch, seed) for key, value in rows.items()},
            config={"loss": loss, "seeds": [0, 1, 2], "epochs": 6, "tags": [HOSTILE]},
            environment={"task": "multiclass"},
            epochs_done=3 if broken else None,
            finish=not broken,
        )
        if not broken:
            predictions.save(
                RunDirectory(run.path).predictions_path,
                ids=np.arange(600),
                targets=np.arange(600) % classes,
                outputs=dict(enumerate(np.random.default_rng(number).dirichlet(np.ones(classes), (3, 600)))),
                part="test",
            )
        runs.append(run)
    metrics = {name: [0.98765 - 0.001 * number for number in range(classes)] for name in BY_CLASS}
    by_seed = {
        seed: {"samples": [50] * classes, **{name: [one - 1e-4 * seed for one in metrics[name]] for name in BY_CLASS}}
        for seed in range(3)
    }
    by_class = of_seeds(by_seed, "test", [f"class {number}" for number in range(classes)])
    data = report_data(runs, compare(runs))
    path = tmp_path / "large.html"
    save_page(replace(data, runs=tuple(replace(run, by_class=by_class) for run in data.runs)), path)
    return path


@pytest.mark.parametrize("paper", PAPER)
def test_nothing_is_cut_off_on_paper(opened, large_page, paper):
    width = int(PAPER[paper] * 96)
    tab = opened(large_page, width=width)
    tab.ask("Emulation.setEmulatedMedia", media="print")
    tab.value("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert tab.value("document.querySelectorAll('.confusion').length") == 7
    outside = tab.value(
        "[...document.querySelectorAll('td, th, pre, svg, figure, .verdict, h1, h2, li')]"
        f".filter((one) => one.getBoundingClientRect().right > {width} + 0.5 || one.scrollWidth > one.clientWidth + 1 "
        "&& one.clientWidth && getComputedStyle(one).display != 'inline')"
        ".map((one) => one.outerHTML.replace(/<svg.*?<.svg>/, '').slice(0, 90))"
    )
    assert outside == []
    assert tab.value("document.documentElement.scrollWidth") <= width


def test_on_paper_no_heading_is_left_alone(opened, large_page):
    tab = opened(large_page)
    tab.ask("Emulation.setEmulatedMedia", media="print")
    kept = "['h2', 'h3', 'section > p'].map((kind) => [...document.querySelectorAll(kind)].map((one) => "
    after = tab.value(kept + "getComputedStyle(one).breakAfter))")
    assert [set(kind) for kind in after] == [{"avoid"}] * 3
    inside = tab.value(
        "['figure', '.panels > div', 'tr', 'section > p'].map((kind) => [...document.querySelectorAll(kind)]"
        ".map((one) => getComputedStyle(one).breakInside))"
    )
    assert [set(kind) for kind in inside] == [{"avoid"}] * 4


BROKEN = """[...document.querySelectorAll('.number, .runs td:nth-child(3), thead th')].flatMap((cell) => {
  const found = [], walker = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    for (const word of walker.currentNode.data.matchAll(/[^\\s=(]{1,20}/g)) {
      const range = document.createRange();
      range.setStart(walker.currentNode, word.index);
      range.setEnd(walker.currentNode, word.index + word[0].length);
      const lines = new Set([...range.getClientRects()].map((one) => one.top));
      if (lines.size > 1 && !cell.querySelector('small')) found.push(word[0]);
    }
  }
  return found;
})"""


def test_on_paper_no_number_is_broken(opened, large_page):
    tab = opened(large_page, width=int(PAPER["Letter"] * 96))
    tab.ask("Emulation.setEmulatedMedia", media="print")
    tab.value("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert tab.value(BROKEN) == []


@pytest.mark.parametrize("log", [False, True])
def test_no_text_of_a_figure_is_clipped(opened, large_page, log):
    tab = opened(large_page)
    tab.value("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    tab.value(f"document.querySelectorAll('input.log').forEach((one) => {{ one.checked = {str(log).lower()}; }})")
    clipped = tab.value(
        "[...document.querySelectorAll('figure > svg')].flatMap((svg) => { const all = svg.getBoundingClientRect(); "
        "return [...svg.querySelectorAll('text')].filter((text) => { const one = text.getBoundingClientRect(); "
        "return one.width && (one.left < all.left - 0.5 || one.right > all.right + 0.5 || one.top < all.top - 0.5 || "
        "one.bottom > all.bottom + 0.5); }).map((text) => svg.getAttribute('aria-label') + text.outerHTML); })"
    )
    assert clipped == []

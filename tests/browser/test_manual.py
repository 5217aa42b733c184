"""The manual in a real browser: its search, its links, and how it fits screens of any width."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.browser

RESULTS = "[...document.querySelectorAll('#results a')].map((link) => link.hash.slice(1))"


@pytest.fixture(scope="module")
def manual(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("manual") / "manual.html"
    command = [sys.executable, "-m", "lossrun", "manual", "--output", str(path)]
    subprocess.run(command, check=True, capture_output=True)
    return path


def asked(tab, text: str) -> list[str]:
    """The sections that the search finds for what is typed."""
    tab.value("document.querySelector('#search').focus(); document.querySelector('#search').select()")
    tab.ask("Input.insertText", text=text)
    return tab.value(RESULTS)


def test_nothing_is_complained_of_and_nothing_asked_for(opened, manual):
    tab = opened(manual)
    tab.value("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert tab.complaints() == []
    assert tab.value("document.title") == "lossrun manual"


def test_the_search_finds_names_other_names_and_text(opened, manual):
    first = {
        "huber": "loss-huber",
        "HuberLoss": "loss-huber",
        "cross entropy": "loss-cross_entropy",  # as people say it
        "SparseCategoricalCrossentropy": "loss-cross_entropy",
        "keras.RMSprop": "optimizer-rmsprop",
        "batch_size": "key-batch_size",
        "lr": "key-learning_rate",
        "double_act": "rule-double_activation",
        "LBFGS": "elsewhere-optimizer-LBFGS",
        "lossrun train": "command-train",
        "Econometrica": "loss-quantile",  # in its text alone
    }
    tab = opened(manual)
    assert {typed: asked(tab, typed)[0] for typed in first} == first


def test_the_search_by_keyboard_alone(opened, manual):
    tab = opened(manual)
    tab.press("/")
    assert tab.value("document.activeElement.id") == "search"
    assert asked(tab, "mae")[0] == "loss-mae"
    tab.press("ArrowDown")
    assert tab.value("document.activeElement.hash") == "#loss-mae"
    tab.press("ArrowUp")
    assert tab.value("document.activeElement.id") == "search"
    tab.value("document.querySelector('form').requestSubmit()")
    assert tab.value("location.hash") == "#loss-mae"
    tab.press("Escape")
    assert tab.value("document.querySelector('#search').value") == ""
    assert tab.value(RESULTS) == []


def test_a_search_without_a_result_says_so(opened, manual):
    tab = opened(manual)
    assert asked(tab, "qqqqqqqq") == []
    assert tab.value("document.querySelector('#found').textContent") == "Nothing found."
    asked(tab, "h")
    assert "found" in tab.value("document.querySelector('#found').textContent")


@pytest.mark.parametrize("scripts", [True, False])
@pytest.mark.parametrize("width", [400, 800, 1400])
def test_the_page_is_never_wider_than_the_screen(opened, manual, width, scripts):
    tab = opened(manual, width=width, scripts=scripts)
    assert tab.value("document.documentElement.scrollWidth") == width


def test_without_scripts_the_contents_are_there_and_no_search(opened, manual):
    tab = opened(manual, width=1400, scripts=False)
    left, _, width, height = tab.box("nav a[href='#losses']")
    assert (left >= 0, width > 0, height > 0) == (True, True, True)
    assert tab.box("form")[2:] == [0, 0]
    assert tab.box("#theme")[2:] == [0, 0]


def test_contents_are_beside_the_text_on_a_wide_screen_and_closed_on_a_small_one(opened, manual):
    wide = opened(manual, width=1400)
    assert wide.value("document.querySelector('details.all').open")
    small = opened(manual, width=400)
    assert not small.value("document.querySelector('details.all').open")


def test_a_link_brings_its_section_into_view(opened, manual):
    tab = opened(manual, width=400)
    tab.value("location.hash = '#loss-gaussian_nll'")
    top = tab.value("document.querySelector('#loss-gaussian_nll h4').getBoundingClientRect().top")
    bar = tab.value("document.querySelector('.side').getBoundingClientRect().bottom")
    assert bar <= top < 300


def test_the_contents_follow_the_address(opened, manual):
    tab = opened(manual, width=1400)
    # An event comes after the script that causes it.
    follow = "location.hash = '#%s'; new Promise((done) => addEventListener('hashchange', done, {once: true}))"
    marked = "[...document.querySelectorAll('nav [aria-current]')].map((link) => link.textContent)"
    opened_chapters = "document.querySelectorAll('nav details details[open]').length"
    assert (tab.value(marked), tab.value(opened_chapters)) == ([], 0)
    tab.ask("Runtime.evaluate", expression=follow % "optimizer-adam", awaitPromise=True)
    assert (tab.value(marked), tab.value(opened_chapters)) == (["adam"], 1)
    tab.ask("Runtime.evaluate", expression=follow % "loss-mse", awaitPromise=True)
    assert tab.value(marked) == ["mse"]

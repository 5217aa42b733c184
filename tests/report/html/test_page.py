import json
import math
import re
from base64 import b64encode
from dataclasses import replace
from hashlib import sha256
from html.parser import HTMLParser
from itertools import pairwise

import numpy as np
import pytest

from lossrun.analysis.comparison.compare import compare
from lossrun.analysis.report_data import report_data
from lossrun.analysis.values.readings import spread
from lossrun.errors import RunError
from lossrun.records import predictions
from lossrun.records.files.rows import Rows
from lossrun.records.history import History
from lossrun.records.run_directory import RunDirectory
from lossrun.report.html.figures import Line, line_figure
from lossrun.report.html.page import save_page, to_html

HOSTILE = "</script><script>alert('x')</script><img src=x onerror=alert(1)>&amp;"
VOID = {"meta", "input", "img", "br"}
CROSS_ENTROPY = {"name": "cross_entropy", "reduction": "mean", "label_smoothing": 0.0}


class Parsed(HTMLParser):
    """The page's elements as (name, attributes), the text of each kind of element, and what was not closed."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.open, self.texts = [], [], {}
        self.feed(text)
        self.close()

    def handle_starttag(self, name, attributes):
        self.elements.append((name, dict(attributes)))
        if name not in VOID:
            self.open.append(name)

    def handle_endtag(self, name):
        assert self.open.pop() == name

    def handle_data(self, data):
        if self.open:
            self.texts.setdefault(self.open[-1], []).append(data)

    def all(self, name):
        return [attributes for found, attributes in self.elements if found == name]


def rising(start):
    return lambda epoch, seed: {
        "train_loss": start / epoch,
        "val_loss": start / epoch,
        "val_accuracy": 1 - start / (epoch + 1) + 0.001 * seed,
        "val_cross_entropy": start / epoch,
    }


@pytest.fixture
def make(make_run):
    """A run of three classes with predictions for 30 samples."""

    def made(name, start=0.5, loss=CROSS_ENTROPY, seeds=(0, 1, 2), **config):
        settings = {"loss": loss, "seeds": list(seeds), **config}
        run = make_run(name, rows=rising(start), config=settings, environment={"task": "multiclass"})
        rng = np.random.default_rng(0)
        predictions.save(
            RunDirectory(run.path).predictions_path,
            ids=np.arange(100, 130),
            targets=rng.integers(0, 3, 30),
            outputs={seed: rng.dirichlet(np.ones(3), 30).astype(np.float32) for seed in seeds},
            part="test",
        )
        return run

    return made


def page(*runs, **options):
    return to_html(report_data(runs, compare(runs, **options)))


@pytest.fixture
def two(make):
    return page(make("a"), make("b", 0.4, {"name": "mse", "reduction": "mean"}))


def test_the_page_is_whole_and_needs_no_network(two):
    parsed = Parsed(two)
    assert parsed.open == []
    identities = [attributes["id"] for _, attributes in parsed.elements if "id" in attributes]
    assert len(identities) == len(set(identities))
    addresses = [a[key] for _, a in parsed.elements for key in ("src", "href", "action", "data", "poster") if key in a]
    assert addresses
    for address in addresses:
        assert address.startswith("data:image/png;base64,") or address.removeprefix("#") in identities
    assert not re.search(r"url\(|@import|//[a-z]", "".join(parsed.texts["style"]))
    assert parsed.all("link") == parsed.all("iframe") == parsed.all("object") == []


def test_the_policy_allows_this_script_and_these_styles_alone(two):
    (policy,) = [a["content"] for a in Parsed(two).all("meta") if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    for kind in ("style", "script"):
        (part,) = re.findall(f"<{kind}>(.*?)</{kind}>", two, re.DOTALL)
        # Content Security Policy, level 3: the base64 of the SHA-256 of the text between the tags.
        digest = b64encode(sha256(part.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    # Neither attributes with scripts nor with styles, which the policy would refuse.
    assert not [a for _, a in Parsed(two).elements for key in a if key.startswith("on") or key == "style"]


def test_verdicts_come_first_and_the_reading_order_has_headings(two):
    parsed = Parsed(two)
    assert parsed.texts["h1"] == ["Which loss is better on synthetic_regression?"]
    assert parsed.texts["h2"][:4] == ["Verdicts", "Runs", "Matrix", "Curves"]
    assert parsed.texts["h2"][-1] == "Reproduction"


def test_a_verdict_says_how_sure_it_is(make):
    runs = [make("a", 0.5, seeds=range(6)), make("b", 0.4, seeds=range(6), learning_rate=0.2)]
    text = page(*runs)
    # Epoch 4 is best: 1 - 0.5/5 and 1 - 0.4/5 on every seed, a difference of 0.02 without spread.
    assert "B (lr=0.2) is better than A" in text
    # In the words of the terminal.
    told = "B - A = +0.02000; 95 % interval +0.02000 to +0.02000; B is better on 6 of 6 seeds "
    assert f"{told}(chance on a new seed: 54 to 100 %); p = 0.031" in text
    assert "val_accuracy: B (lr=0.2) has the best mean, 0.9225 ± 0.0019." in text


def test_runs_that_cannot_be_compared_are_said_to_be_so(make, make_run):
    other = make_run("other", rows=rising(0.4), config={"seeds": [0]}, environment={"task": "binary"})
    text = page(make("a"), other)
    assert "Not comparable: the runs have different tasks" in text
    assert 'class="verdict ' not in text


def test_the_best_of_the_matrix_bears_a_mark(two):
    (row,) = re.findall(r"<tr><th scope=\"row\">val_accuracy.*?</tr>", two)
    cells = re.findall(r"<td class=\"number ?(\w*)\" title=\"(.*?)\">(.*?)</td>", row)
    assert [kind for kind, _, _ in cells] == ["", "best"]
    assert "★" in cells[1][2]
    assert "★" not in cells[0][2]
    # Of write_run's rows: 1 - 0.4 / 5 + 0.001 * seed.
    assert cells[1][1] == "seed 0: 0.9200, seed 1: 0.9210, seed 2: 0.9220"


def test_a_figure_holds_its_values_rounded_and_in_place(two):
    found = [json.loads(text) for text in re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', two)]
    accuracy = found[0]
    assert accuracy["epochs"] == [1, 2, 3, 4]
    assert accuracy["lines"][0]["text"][3] == "0.9010 ± 0.0010"
    # Higher values stand higher, which is nearer to 0.
    assert accuracy["lines"][0]["linear"] == sorted(accuracy["lines"][0]["linear"], reverse=True)
    assert accuracy["x"] == sorted(accuracy["x"])


def test_losses_with_different_meanings_share_no_figure(two, make):
    headings = re.findall(r'<figure class="curves"><h3>(.*?)</h3>', two)
    assert headings[:3] == ["val_accuracy", "A (loss=cross_entropy)", "B (loss=mse)"]
    same = page(make("c"), make("d", 0.4, learning_rate=0.2))
    assert re.findall(r'<figure class="curves"><h3>(.*?)</h3>', same)[:3] == ["val_accuracy", "train_loss", "val_loss"]


def test_a_run_that_exploded_leaves_gaps(make):
    bad = make("bad", learning_rate=0.2)
    rows = [
        {**row, "val_accuracy": math.nan, "train_loss": 10.0 ** (100 * row["epoch"] - 99)} for row in bad.history.rows
    ]
    rows[-1]["train_loss"] = math.inf
    text = page(make("good"), replace(bad, history=History(Rows(rows))))
    parsed = Parsed(text)
    assert parsed.open == []
    for attributes in parsed.all("path"):
        assert "nan" not in attributes["d"]
        assert "inf" not in attributes["d"]


def test_nothing_that_a_run_says_becomes_markup(make):
    runs = [
        make("a", tags=[HOSTILE], compare_on=None),
        make("b", 0.4, {"name": HOSTILE, "reduction": HOSTILE}, dataset={"name": HOSTILE}),
    ]
    hostile = replace(runs[1], name=HOSTILE, environment=runs[1].environment | {"command": HOSTILE, "device": HOSTILE})
    text = page(runs[0], hostile)
    parsed = Parsed(text)
    assert parsed.open == []
    assert [a for a in parsed.all("script") if a.get("type") != "application/json"] == [{}]
    assert not [a for _, a in parsed.elements for key in a if key.startswith("on")]
    assert "<img src=x" not in text
    assert HOSTILE in parsed.texts["span"]


def test_ten_long_runs_stay_below_three_megabytes(make):
    runs = []
    for number in range(10):
        run = make(f"run-{number}", learning_rate=0.1 * (number + 1))
        usual = {"learning_rate": 0.1, "grad_norm": 1.0}
        names = [f"val_{name}" for name in ("mse", "mae", "focal", "categorical_hinge", "macro_f1")]
        rows = tuple(
            {
                "epoch": epoch,
                "seed": seed,
                **rising(0.5)(epoch, seed),
                **usual,
                **dict.fromkeys(names, epoch / 7),
            }
            for epoch in range(1, 501)
            for seed in (0, 1, 2)
        )
        runs.append(replace(run, history=History(Rows(rows))))
    text = page(*runs)
    assert "160 of 500 epochs are drawn" in text
    assert len(text.encode()) < 3_000_000
    # The seventh colour would be too like another: the first comes again, dashed.
    assert 'class="c0 d1"' in text


def test_held_out_samples_are_looked_at(two):
    parsed = Parsed(two)
    assert "Calibration" in parsed.texts["h2"]
    assert "30 test samples, sorted by 1 - probability of the true class, mean over 3 seeds" in parsed.texts["p"]
    first, _ = re.findall(r'<table class="confusion">(.*?)</table>', two)
    # 30 samples, of 3 seeds.
    assert sum(int(count) for count in re.findall(r"<td class=\"\w+ s\d\">(\d+)</td>", first)) == 90
    assert len(re.findall("<li", re.search(r'<ol class="worst">(.*?)</ol>', two)[1])) == 12


def test_the_config_that_repeats_a_run_is_there(two):
    code = Parsed(two).texts["code"]
    assert any(text.startswith("# The resolved config") and "name: cross_entropy" in text for text in code)
    (command,) = [text for text in code if text.startswith("lossrun compare ")]
    assert re.fullmatch(r"lossrun compare \S+-a \S+-b --html report.html", command)


def test_the_command_that_repeats_the_page_has_its_options(make):
    runs = [make("a"), make("b", 0.4, learning_rate=0.2)]
    text = page(*runs, metric="mae", at=3, margin=0.1, target="val_accuracy=0.5")
    (command,) = [text for text in Parsed(text).texts["code"] if text.startswith("lossrun compare ")]
    assert command.endswith("-b --metric mae --at 3 --margin 0.1 --target val_accuracy=0.5 --html report.html")


def test_letters_at_the_ends_of_curves_stay_in_the_drawing():
    """Five curves that end together at the bottom, and one at the top."""
    lines = [Line(name, name, "r1", (spread({0: end}),), 1) for name, end in zip("ABCDEF", (1, *[0] * 5), strict=True)]
    figure = str(line_figure("loss", [0], lines))
    (scale,) = re.findall(r'<g class="scale linear">(.*?)<g class="scale log">', figure, re.DOTALL)
    (bottom,) = {float(y) for y in re.findall(r'y1="([.\d]+)" y2="\1" class="axis"', figure)}
    curves = [float(y) for y in re.findall(r'<circle cx="[.\d]+" cy="([.\d]+)"', scale)]
    letters = [float(y) for y in re.findall(r'<text x="[.\d]+" y="([.\d]+)" class="end', scale)]
    # A letter's y is that of its foot.
    assert letters[0] == min(curves) + 4
    assert max(curves) < letters[-1] - 4 == bottom
    assert all(after - before >= 12 for before, after in pairwise(letters))


def test_how_soon_a_target_is_reached(make):
    text = page(make("a"), make("b", 0.4, learning_rate=0.2), target="val_accuracy=0.86")
    assert "How soon val_accuracy reaches 0.8600" in text
    # 1 - 0.5/(e + 1) reaches 0.86 at epoch 3, 1 - 0.4/(e + 1) at epoch 2.
    table = text.partition("How soon")[2].partition("</table>")[0]
    rows = re.findall(r"</svg> (\w)</th><td class=\"number\">(.*?)</td>", table)
    assert [(letter, epochs.split(" ")[0]) for letter, epochs in rows] == [("A", "3.000"), ("B", "2.000")]


def test_a_page_that_cannot_be_written_is_told(make, tmp_path):
    runs = [make("a"), make("b", learning_rate=0.2)]
    data = report_data(runs, compare(runs))
    with pytest.raises(RunError, match=r"cannot write .*report\.html: .*; name another file with --html"):
        save_page(data, tmp_path / "no" / "report.html")
    save_page(data, tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == to_html(data)


def explanation(runs, **options):
    """What the page says of the matrix and of calibration."""
    texts = " ".join(" ".join(Parsed(to_html(report_data(runs, compare(runs, **options)))).texts["p"]).split())
    return texts.partition("– means no value: ")[2].partition(". ")[0].rstrip(".")


def test_a_dash_is_explained_run_by_run(make_run):
    def broken(epoch, seed):
        return {"train_loss": math.nan, "val_loss": math.nan, "val_accuracy": math.nan, "val_cross_entropy": math.nan}

    def margins(epoch, seed):
        return {"train_loss": 1.0, "val_loss": 1.0, "val_accuracy": 0.5}

    environment = {"task": "multiclass"}
    options = {"environment": environment, "finish": False}
    whole = make_run("whole", rows=rising(0.5), environment=environment)
    cases = {
        "the metric does not apply to the run's outputs": make_run("margins", rows=margins, environment=environment),
        "val_loss was NaN or infinity in every epoch": make_run("nan", rows=broken, epochs_done=1, **options),
        "not finished, and test data are only scored at the end": make_run(
            "unfinished", rows=rising(0.5), epochs_done=2, **options
        ),
        "no epoch is finished yet": make_run("young", rows=rising(0.5), epochs_done=0, **options),
    }
    for why, run in cases.items():
        assert explanation([whole, run, whole_again(make_run, why)]).endswith(f"{why} (B)"), why
    assert explanation([whole, whole_again(make_run, "alike")]) == ""


def whole_again(make_run, name):
    config = {"optimizer": {"name": "adam"}}
    return make_run(f"again-{len(name)}", rows=rising(0.4), environment={"task": "multiclass"}, config=config)


def test_a_mean_over_fewer_seeds_says_so(make_run):
    """Two of three seeds diverge: the curve goes on with the third, and every later value names how many it is of."""

    def rows(epoch, seed):
        return rising(0.5)(epoch, seed)

    run = make_run("run", rows=rows, config={"seeds": [0, 1, 2]}, environment={"task": "multiclass"})
    kept = [row for row in run.history.rows if row["seed"] == 0 or row["epoch"] < 3]
    run = replace(run, history=History(Rows(kept)))
    other = make_run("other", rows=rows, config={"seeds": [0, 1, 2]}, environment={"task": "multiclass"})
    page = Parsed(to_html(report_data([run, other], compare([run, other]))))
    values = next(json.loads(text) for text in page.texts["script"] if text.startswith('{"epochs"'))
    texts = [line["text"] for line in values["lines"]]
    assert [" (1 of 3 seeds)" in text for text in texts[0]] == [False, False, True, True]
    assert not any("of 3 seeds" in text for text in texts[1])
    assert "they are over the remaining seeds" in " ".join(page.texts["p"])

import pytest

from lossrun.report.manual.prose import formula, lines, prose, sentence
from lossrun.report.reference.article import Reference


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("mean over K of e^2", "mean over <var>K</var> of <var>e</var><sup>2</sup>"),
        ("rate (1 - progress)^power", "rate (1 − progress)<sup>power</sup>"),
        ("gamma^(epoch / every)", "gamma<sup>epoch / every</sup>"),
        ("gamma^floor(epoch / every)", "gamma<sup>floor(epoch / every)</sup>"),
        ("|e| <= delta", "|<var>e</var>| ≤ delta"),
        ("sum_k (p_k - t_k)", "sum<sub>k</sub> (<var>p</var><sub>k</sub> − <var>t</var><sub>k</sub>)"),
        ("at least log_zero, 1e-7", "at least log_zero, 1e-7"),
        ("-sum of t", "−sum of <var>t</var>"),
        ("the next step's momentum, a sample", "the next step&#x27;s momentum, a sample"),
        ("a g, a = 1", "<var>a</var> <var>g</var>, <var>a</var> = 1"),
        ("U V'", "<var>U</var> <var>V&#x27;</var>"),
    ],
)
def test_formulas_have_raised_exponents_and_lowered_indices(text, html):
    assert formula(text) == html


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("error at which it turns linear", "Error at which it turns linear."),
        ("per-weight steps", "Per-weight steps."),
        ("Done already.", "Done already."),
        ("batch_size: full", "batch_size: full."),
        ("1 - the overlap", "1 - the overlap."),
        ("about e^2 / 2 of `x`", "About e<sup>2</sup> / 2 of <code>x</code>."),
    ],
)
def test_a_fragment_becomes_a_sentence(text, html):
    assert sentence(text) == html


def test_a_fact_is_split_into_its_lines_and_links():
    assert lines(["a\nb ", Reference("loss", "mse"), " <c>"]) == [
        "a",
        'b <a href="#loss-mse"><code>mse</code></a> &lt;c&gt;',
    ]
    assert prose("`lossrun check` warns") == "<code>lossrun check</code> warns"

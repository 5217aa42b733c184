"""The chapter on verdicts: what they are about, how a script gets one, and how many seeds it needs."""

from collections.abc import Iterator
from typing import Final

from lossrun.analysis.comparison.across_datasets import least_datasets
from lossrun.analysis.comparison.plans import ADVISED
from lossrun.analysis.values.evidence import LEAST_FOR_INTERVAL, LEAST_FOR_VERDICT, LEAST_ITEMS, LEVEL
from lossrun.analysis.values.planning import CONFIDENCE, POWER
from lossrun.catalog.metrics import METRICS
from lossrun.errors import OtherBetterError, UndecidedError
from lossrun.report.html.markup import Markup, element
from lossrun.report.manual.prose import prose
from lossrun.report.manual.tables import table
from lossrun.shell import command

SECTIONS: Final = (
    ("verdicts-basics", "What a verdict says"),
    ("verdicts-population", "What the interval is about"),
    ("verdicts-splits", "Splits and folds"),
    ("verdicts-datasets", "Over several datasets"),
    ("verdicts-scripts", "Verdicts as exit codes"),
    ("verdicts-plan", "How many seeds are needed"),
)

CI_EXAMPLE: Final = "\n- run: ".join(
    (
        "# .github/workflows/model.yml, the last steps of a job",
        command("train", "baseline.yaml", "--quiet", set_=["seeds=10"], options={"--name": "baseline"}),
        command("train", "candidate.yaml", "--quiet", set_=["seeds=10"], options={"--name": "candidate"}),
        command(
            "compare",
            *("baseline", "candidate"),
            options={"--require": "not-worse", "--margin": 0.005},
        ),
    )
)


def verdict_sections() -> Iterator[Markup]:
    """Yield the content of the chapter."""
    bodies = (_basics(), _population(), _splits(), _datasets(), _scripts(), _plan())
    for (identity, title), body in zip(SECTIONS, bodies, strict=True):
        yield element("h3", title, id=identity)
        yield from body


def _basics() -> list[Markup]:
    return _paragraphs(
        f"`{command('compare', 'A', 'B')}` pairs runs by seed and gives the mean difference with a "
        f"{100 * (1 - LEVEL):.0f} % interval and a p-value (Student, paired). With several runs or metrics, p-values "
        "are corrected for all comparisons (Holm). One or two shared seeds give no interval, "
        f"{LEAST_FOR_INTERVAL} to {LEAST_FOR_VERDICT - 1} can only suggest a winner, {LEAST_FOR_VERDICT} or more can "
        "decide."
    )


def _population() -> list[Markup]:
    rows = [
        (
            "new seeds and new test items",
            "the default, if all seeds share one split and both runs kept their predictions of its test data",
            "combines the two below: its half-width is the root of the sum of their squares; it alone decides",
        ),
        ("new seeds, these test items", "`--over seeds`, or no predictions", "Student's over the seeds"),
        (
            "new test items, these trained models",
            "`--over items`",
            f"Student's over the items, each averaged over the seeds first; {LEAST_ITEMS} items can decide",
        ),
    ]
    heads = ("is about", "when", "half-width")
    return [
        *_paragraphs(
            "Two models may differ because of the seeds that they were trained with, and because of the items that "
            "they were tested on. An interval over seeds says nothing about other test items, and an interval over "
            "items says nothing about other seeds. In simulations where items matter most, a 95 % interval over seeds "
            "alone contained the difference over new seeds and new items in 50 to 69 % of cases. Where seeds matter "
            "most, one over items alone contained it in 62 to 79 %. The interval for both contains it in at least 94 %."
        ),
        table(heads, ([prose(cell) for cell in row] for row in rows)),
        *_paragraphs(
            "Items and seeds are never pooled: the same item under six seeds is not six items. A run keeps what each "
            "test item adds to every loss and metric, and the variance of that over the items is the metric's (the "
            "infinitesimal jackknife: Jaeckel 1972, Efron 1982; for rmse and F1 it is the delta method, for auc the "
            f"variance of DeLong and others 1988). {_without_items()}",
            "The chance that a run beats the other on a new seed is Clopper and Pearson's interval for the share of "
            "seeds that it wins; ties count against it.",
        ),
    ]


def _without_items() -> str:
    """Say which metrics have no interval over new test items, and why."""
    return " ".join(
        f"{metric.name} has no such interval, because {metric.without_items}; the sentence says so."
        for metric in METRICS
        if metric.without_items
    )


def _splits() -> list[Markup]:
    rows = [
        ("a fit against none", "88, 85, 76", "95, 96, 96"),
        ("the same, with noise over seeds", "90, 87, 81", "97, 97, 98"),
        ("two equal learners with noise over seeds", "95, 95, 95", "98, 99, 100"),
        ("two ridges, whose splits depend on each other less than assumed", "93, 92, 89", "98, 98, 99"),
        ("a fit of one weak input, whose gain is skewed over datasets", "79, 77, 67", "91, 90, 88"),
        ("two ridges; a few outliers among the training samples dominate", "53, 47, 37", "65, 64, 59"),
    ]
    heads = ("difference of two learners", "Student's: 5, 6, 10 splits", "corrected: 5, 6, 10 splits")
    return [
        *_paragraphs(
            "All seeds of a run share one split of the data, unless the config has `splits: 10`, `folds: 5`, or "
            "`dataset.split_seed: seed`. Each split then has different seeds: with the same seeds on every split, the "
            "mean would be over far too few. `seeds: 20` with `splits: 10` gives each split two seeds, and the "
            "deviations over splits and over seeds are shown separately.",
            "Verdicts use the mean of each split. The splits share samples, so the variance of their mean is taken as "
            "the variance over splits times `1/J + n_test/n_train`, with J splits and J - 1 degrees of freedom (Nadeau "
            "and Bengio 2003). It never falls below n_test/n_train: a difference below about one deviation of a split "
            "is not settled by more splits of the same data, and lossrun says that more data are needed.",
            "A sweep tunes on each split separately: the value with the best score on the split's validation "
            "data is trained again on the same split with other seeds. One value for all splits would have been chosen "
            "on samples that some of them test.",
            "With test data drawn from the same source, the interval is about new data from this source, assuming "
            "that chance in the test items outweighs chance in the training set. How often, in per cent, a 95 % "
            "interval contains the true difference over 2,000 datasets of 60 samples (100 with one input):",
        ),
        table(heads, rows),
        *_paragraphs(
            "The last three lines show the limits of the method, which every interval from one dataset has. One "
            "dataset cannot show how much splits depend on each other (Bengio and Grandvalet 2004), so the method "
            "makes an assumption: if splits depend less on each other, intervals are wider than necessary. If the "
            "difference is skewed over datasets, intervals are too narrow. If a few outliers decide, all splits share "
            "them, and intervals are far too narrow.",
            "With a test set that all splits share, such as an official one, the splits only draw training samples. "
            "Then the interval is Student's, without the correction. It is about these held-out data and these splits' "
            "training sets, and says nothing about other training data.",
        ),
    ]


def _datasets() -> list[Markup]:
    plotted = command("plot", "sweep-*", options={"--by": "dataset", "--output": "ranks.pdf"})
    return _paragraphs(
        f"`{command('compare', 'sweep-*', options={'--by': 'dataset'})}` compares methods that were trained on several "
        "datasets: runs are one method if their configs differ only in the dataset and the seeds, or if they have the "
        "same name. Differences on different datasets differ in size, so their order counts: Wilcoxon's signed ranks "
        f"of the means over seeds, for each method against the first (Demsar 2006). {LEAST_FOR_VERDICT} datasets or "
        f"more can decide between two methods, and {least_datasets(4)} or more among three or four, since p-values are "
        "corrected for their number.",
        "With more than two methods, Friedman's test says whether their mean ranks differ at all. The picture shows "
        "each method's mean rank; 1 is the best. Two mean ranks that are further apart than the critical difference "
        "differ at 5 %, over all pairs of methods (Nemenyi's test). It depends on which methods are ranked, so the "
        f"verdicts are based on the signed ranks alone. `{plotted}` writes the picture into a file.",
    )


def _scripts() -> list[Markup]:
    other, unclear = OtherBetterError.exit_code, UndecidedError.exit_code
    return [
        *_paragraphs(
            "`--require better` asks whether the second run is better than the first. `--require not-worse` with "
            "`--margin NUMBER` asks whether it is at most this much worse: the interval must exclude a larger loss. "
            f"The exit code is 0 for yes, {other} if the other run is better, and {unclear} if these runs cannot tell: "
            "too few seeds, seeds that diverged, or a difference too small for their number.",
            "In a CI job, any exit code but 0 fails the step:",
        ),
        element("pre", element("code", CI_EXAMPLE.rstrip()), tabindex="0"),
    ]


def _plan() -> list[Markup]:
    return _paragraphs(
        f"`{command('compare', 'A', 'B', options={'--plan': '0.005'})}` takes the runs as a pilot of at least "
        f"{LEAST_FOR_INTERVAL} seeds ({ADVISED} are advised) and says how many fresh seeds find a difference of 0.005 "
        f"with a chance of {100 * POWER:.0f} %, and what they cost in time.",
        "The deviation of a few seeds is often too small: of plans that take it for the true one, only about two in "
        f"five reach that chance. So the plan uses its upper confidence limit of {100 * CONFIDENCE:.0f} %, and four "
        "in five do. The best guess next to it uses the deviation as it is. The commands that train the fresh seeds "
        "are printed below.",
        "The pilot's seeds must not enter the verdict, and neither must seeds that were added because there was no "
        "verdict yet: stopping as soon as there is one is wrong about one time in four.",
    )


def _paragraphs(*texts: str) -> list[Markup]:
    return [element("p", prose(text)) for text in texts]

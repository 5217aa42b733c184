"""Say which run is better and how sure that is, in sentences, or in a table for many runs."""

import math
from collections.abc import Callable
from typing import Final

from lossrun.analysis.comparison.compare import ComparedRun, ComparedRuns
from lossrun.analysis.comparison.verdicts import Verdict
from lossrun.analysis.values.evidence import LEVEL
from lossrun.analysis.values.paired_differences import PairedDifference
from lossrun.analysis.values.planning import MOST_SEEDS
from lossrun.analysis.values.readings import spread
from lossrun.report.comparison.basis import basis, half_widths
from lossrun.report.comparison.compare_tables import moment
from lossrun.report.layout.numbers import format_difference, format_number
from lossrun.report.layout.text_table import Column, TextTable

MOST_SENTENCES: Final = 8  # more verdicts become a table

_CLAIMS: Final = {
    "better": "{run} is better than {other} by {metric}",
    "worse": "{other} is better than {run} by {metric}",
    "probably better": "{run} is probably better than {other} by {metric}",
    "probably worse": "{other} is probably better than {run} by {metric}",
    "equivalent": "{other} and {run} are equivalent by {metric}, to within {margin}",
    "no clear difference": "no clear difference between {other} and {run} by {metric}",
    "identical": "{other} and {run} are identical by {metric} on {every}",
}
_TUNED: Final = "as tuned by this sweep"

_COUNTED: Final = {
    "better": "{runs} {verb} better",
    "probably better": "{runs} {verb} probably better",
    "equivalent": "{runs} {verb} equivalent",
    "identical": "{runs} {verb} identical",
    "no clear difference": "no clear difference for {runs}",
    "probably worse": "{runs} {verb} probably worse",
    "worse": "{runs} {verb} worse",
}


def sentences(comparison: ComparedRuns) -> list[str]:
    """Return a sentence for each verdict, or one for each metric if there are many; then what they are based on."""
    found = comparison.verdicts
    if not found:
        return []
    few = len(found) <= MOST_SENTENCES
    judged = [text for verdict in found for text in _told(comparison, verdict)] if few else summary(comparison)
    return [*judged, *basis(comparison)]


def _told(comparison: ComparedRuns, verdict: Verdict) -> list[str]:
    """Return the verdict in a sentence, with what its interval is made of beneath."""
    return [_sentence(comparison, verdict), *(f"- {text}" for text in half_widths(verdict))]


def verdicts_table(comparison: ComparedRuns) -> TextTable | None:
    """Make a table of the verdicts if there are too many for sentences."""
    found = comparison.verdicts
    if len(found) <= MOST_SENTENCES:
        return None
    runs, first = comparison.runs, comparison.runs[0].letter
    columns = (
        Column("metric", tuple(verdict.metric for verdict in found), right=False),
        Column(f"minus {first}", tuple(_or_dash(v.difference, lambda d: format_difference(d.mean)) for v in found)),
        Column("95 % interval", tuple(_or_dash(v.difference, _interval) for v in found)),
        Column("wins", tuple(_or_dash(v.difference, _wins) for v in found)),
        Column("p", tuple("-" if v.corrected_p_value is None else format_p_value(v.corrected_p_value) for v in found)),
        Column("verdict", tuple(map(_word, found)), right=False),
        Column("needed", tuple(map(_needed, found))),
    )
    limits = dict.fromkeys(reason for verdict in found for reason in verdict.because)
    title = f"Every run compared with {first} at {moment(comparison)}"
    return TextTable(
        title, Column("run", tuple(runs[v.run].letter for v in found), right=False), columns, "; ".join(limits)
    )


def format_p_value(value: float) -> str:
    """Write a p-value with two digits, and with more if two would hide on which side of the level it is."""
    if value < 0.0001:
        return "<0.0001"
    digits = 2
    while (float(text := format_number(value, digits)) <= LEVEL) != (value <= LEVEL):
        digits += 1
    return text


def summary(comparison: ComparedRuns) -> list[str]:
    """Say for each metric which runs are better than the first, which are worse, and so on."""
    first = comparison.runs[0].letter
    words: dict[str, dict[str, list[str]]] = {}
    for verdict in comparison.verdicts:
        letter = comparison.runs[verdict.run].letter
        words.setdefault(verdict.metric, {word: [] for word in _COUNTED})[_word(verdict)].append(letter)
    return [
        f"by {metric}, compared with {first}: "
        + "; ".join(
            _COUNTED[word].format(runs=", ".join(runs), verb="is" if len(runs) == 1 else "are")
            for word, runs in found.items()
            if runs
        )
        for metric, found in words.items()
    ]


def _sentence(comparison: ComparedRuns, verdict: Verdict) -> str:
    ends = "; ".join(filter(None, (", ".join(facts(comparison, verdict)), *limits(verdict))))
    return ": ".join(filter(None, (claim(comparison, verdict), ends)))


def claim(comparison: ComparedRuns, verdict: Verdict) -> str:
    """Write the verdict itself: `B (lr=0.1) is better than A by test_rmse`."""
    difference = verdict.difference
    written = _CLAIMS[_word(verdict)].format(
        run=called(comparison.runs[verdict.run]),
        other=called(comparison.runs[verdict.reference]),
        metric=verdict.metric,
        margin=None if comparison.margin is None else format_number(comparison.margin),
        every=every_seed(difference) if difference else "",
    )
    first, tuned, second = written.partition(_TUNED)
    return first + tuned + second.replace(_TUNED, "as tuned by it")


def _word(verdict: Verdict) -> str:
    """Return the verdict in a word or two, or that there is no difference at all."""
    identical = verdict.difference is not None and verdict.difference.is_zero and verdict.word != "equivalent"
    return "identical" if identical else verdict.word


def every_seed(difference: PairedDifference) -> str:
    """Write `all 6 seeds`, or `the one seed`."""
    return f"all {difference.count} {difference.over}" if difference.count > 1 else f"the one {difference.over[:-1]}"


def limits(verdict: Verdict) -> list[str]:
    """Say why the verdict is not firmer, and how many seeds are needed."""
    found = list(verdict.because)
    over = verdict.difference.over if verdict.difference else "seeds"
    if verdict.needs_more_data:
        found.append(_more_data(verdict))
    elif verdict.seeds is not None:
        found.append(f"{over} needed: about {_round(verdict.seeds)}")
    elif verdict.hopeless:
        found.append(f"{over} needed: more than {MOST_SEEDS}")
    return found


def _more_data(verdict: Verdict) -> str:
    if verdict.difference and verdict.difference.over == "splits":
        return "more splits of these data will not help: more data are needed"
    return "more seeds will not help: more test data are needed"


def _needed(verdict: Verdict) -> str:
    if verdict.needs_more_data:
        return "more data"
    if verdict.hopeless:
        return f"over {MOST_SEEDS}"
    if verdict.seeds is None or verdict.difference is None:
        return "-"
    return f"{_round(verdict.seeds)} {verdict.difference.over}"


def facts(comparison: ComparedRuns, verdict: Verdict) -> list[str]:
    """Return difference, interval, wins, and p-value; the two means if there is no interval."""
    difference, run = verdict.difference, comparison.runs[verdict.run]
    if difference is None or difference.interval is None:
        values = next(y for y in comparison.metrics if y.name == verdict.metric).measured.values
        found = []
        for index in (verdict.reference, verdict.run):
            if value := values[index]:
                # A verdict always compares the same seeds.
                shared = spread({seed: value.per_seed[seed] for seed in difference.per_seed}) if difference else value
                assert shared is not None
                of = (
                    f" (over {len(shared.per_seed)} of its seeds)" if len(shared.per_seed) < len(value.per_seed) else ""
                )
                found.append(f"{format_number(shared.mean)} for {comparison.runs[index].letter}{of}")
        return found
    other = comparison.runs[verdict.reference]
    if difference.is_zero:
        return [] if verdict.word != "equivalent" else [f"identical on {every_seed(difference)}"]
    found = [
        f"{run.letter} - {other.letter} = {format_difference(difference.mean)}",
        f"95 % interval {_interval(difference)}",
        _won(verdict, difference, run.letter, other.letter),
    ]
    if verdict.corrected_p_value is not None:
        found.append(f"p = {format_p_value(verdict.corrected_p_value)}".replace("= <", "< "))
    return found


def _won(verdict: Verdict, difference: PairedDifference, run: str, other: str) -> str:
    """Say who wins: `B is better on 4 of 6 seeds, identical on 1`, and how likely that is on a new seed.

    Where seeds diverged the others are a selection, and an interval over items alone is not about new seeds.
    """
    count, ties = difference.count, difference.ties
    if ties == count:
        return f"identical on {every_seed(difference)}"
    won = round(difference.wins * count - ties / 2)
    better, most = (other, count - ties - won) if 2 * won < count - ties else (run, won)
    over = difference.over if count > 1 else difference.over[:-1]
    told = f"{better} is better on {most} of {count} {over}" + (f", identical on {ties}" if ties else "")
    chance = difference.beats if better == run else difference.beaten
    if verdict.incomplete or not difference.over_seeds:
        chance = None
    if not chance:
        return told
    # Rounded outwards: an interval that begins below 50 % must not seem to begin there.
    low, high = math.floor(100 * chance[0]), math.ceil(100 * chance[1])
    return f"{told} (chance on a new seed: {low} to {high} %)"


def _interval(difference: PairedDifference) -> str:
    if difference.interval is None:
        return "-"
    low, high = difference.interval
    return f"{format_difference(low)} to {format_difference(high)}"


def _round(seeds: int) -> int:
    """Round an estimated number of seeds: three digits would claim too much."""
    return seeds if seeds < 100 else round(seeds, -1)


def _wins(difference: PairedDifference) -> str:
    """Write on how many seeds the run wins, where a tie counts half: `4.5/6`."""
    count = difference.count
    return f"{difference.wins * count:g}/{count}"


def _or_dash(difference: PairedDifference | None, shown: Callable[[PairedDifference], str]) -> str:
    return "-" if difference is None else shown(difference)


def called(run: ComparedRun) -> str:
    """Name a run: `B (loss=mae)`; the letter alone if the label only repeats the directory's name.

    A sweep's verdict is about the run with the values chosen for it: `B as tuned by this sweep (learning_rate 0.1)`.
    If it was tuned for each seed separately, the verdict is about the pair: `B (tuning included)`.
    """
    if run.retuned:
        return f"{run.letter} (tuning included)"
    if run.tuned:
        return f"{run.letter} {_TUNED} ({run.tuned})"
    return run.letter if run.called_by_name else f"{run.letter} ({run.label})"

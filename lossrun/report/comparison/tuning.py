"""Make tables and notes about the tuning of a sweep, for the terminal and for the page."""

import math
from collections.abc import Callable, Sequence
from typing import Final

from lossrun.analysis.sweeps.sensitivity import HeatMap
from lossrun.analysis.sweeps.speed import epochs_to, target_of
from lossrun.analysis.sweeps.trials import Trial
from lossrun.analysis.sweeps.tuned_range import WORKING
from lossrun.analysis.sweeps.tuning import PairTuning, TuningResult, saved_share
from lossrun.analysis.sweeps.tuning_course import CoursePoint, by_rounds, by_tries
from lossrun.analysis.sweeps.tuning_curve import LEAST, TuningPoint, tuning_curve
from lossrun.analysis.sweeps.words import word, words
from lossrun.catalog.metric_names import better
from lossrun.report.comparison.compare_tables import marked_cells
from lossrun.report.layout.numbers import format_number, format_spread
from lossrun.report.layout.text_table import Column, TextTable

FEW_SAMPLES: Final = 1_000  # validation samples; with fewer, the choice between good values is mostly chance


def heat_table(found: HeatMap, sign: str) -> TextTable:
    """Make a table of the best tuning scores, one key in the rows and the other in the columns."""
    means = {
        (row, column): score.mean
        for row, scores in enumerate(found.scores)
        for column, score in enumerate(scores)
        if score is not None
    }
    best = (max if found.goal == "max" else min)(means.values(), default=None)
    columns = []
    for column, name in enumerate(found.columns):
        marked = frozenset(
            row for row in range(len(found.rows)) if best is not None and means.get((row, column)) == best
        )
        values = [scores[column] for scores in found.scores]
        columns.append(Column(name, marked_cells(values, marked, sign), emphasis=marked))
    title = f"Best {found.metric} in tuning, {better(found.goal)} is better, by {found.keys[0]} and {found.keys[1]}"
    return TextTable(title, Column("", found.rows, right=False), tuple(columns))


def tuning_table(tuning: TuningResult, sign: str) -> TextTable:
    """Make a row for each pair.

    It shows the best values and their score, how many were tried, the range that works, and how soon the best values
    reach a score that every pair has reached.
    """
    pairs = tuning.pairs
    columns = [
        Column("best", tuple(map(_best_words, pairs)), right=False),
        Column(
            f"{tuning.metric}\nin tuning",
            tuple(format_spread(pair.score, sign) for pair in pairs),
        ),
        Column("tried", tuple(map(_tried, pairs))),
        *(_counts(name, lost) for name, of in _LOST.items() if any(lost := [sum(map(of, p.trials)) for p in pairs])),
        Column(
            "range that\nworks",
            tuple("-" if one.decades is None else _range(one.decades) for one in pairs),
        ),
        *(speed := _speed(tuning)),
    ]
    told = f"range that works: the values around the best one whose error is at most {100 * WORKING - 100:.0f} % larger"
    if speed:
        told += f"; {speed[0].header.replace(chr(10), ' ')}: a score that every pair reached"
    return TextTable("Tuning", Column("pair", tuning.names, right=False), tuple(columns), told)


def _range(decades: float) -> str:
    return f"{decades:.1f} decades" if decades else "best only"


def _tried(pair: PairTuning) -> str:
    """Write how many values were tried: `30`, or `34 (16 each)` where repetitions of tuning tried different ones."""
    low, high = (min(pair.tried), max(pair.tried)) if pair.tried else (len(pair.trials),) * 2
    each = str(low) if low == high else f"{low} to {high}"
    return each if low == high == len(pair.trials) else f"{len(pair.trials)} ({each} each)"


def _best_words(pair: PairTuning) -> str:
    if pair.chosen is None:
        return "-"
    made = [choice for choice in pair.choices if choice is not None]
    remarks = [f"{made.count(pair.chosen)} of {len(made)}"] if len(pair.choices) > 1 else []
    remarks += ["edge"] if pair.on_edge else []
    return words(pair.chosen.values) + (f" ({', '.join(remarks)})" if remarks else "")


def _speed(tuning: TuningResult) -> list[Column]:
    target = target_of(tuning)
    if target is None or len(tuning.pairs) == 1:
        return []
    epochs = [epochs_to(target, pair, tuning.goal) for pair in tuning.pairs]
    return [Column(f"epochs to\n{format_number(target)}", tuple("-" if one is None else str(one) for one in epochs))]


# Tuning runs without a score, and why.
_LOST: Final[dict[str, Callable[[Trial], bool]]] = {
    "diverged": lambda trial: trial.diverged,
    "stopped early": lambda trial: trial.left_behind,
    "without a score": lambda trial: (
        trial.score is None and trial.ended and not trial.diverged and not trial.left_behind
    ),
    "not finished": lambda trial: not trial.ended,
}


def _counts(name: str, counts: Sequence[int]) -> Column:
    return Column(name, tuple("-" if not count else str(count) for count in counts))


def curve_table(tuning: TuningResult, sign: str) -> TextTable | None:
    """Make a table of the score to expect after each amount of tuning; None for few values.

    For values of a grid and for random draws, it is the tuning curve with its band. For draws that depend on each other
    and for rounds of halving, it is what was found.
    """
    if tuning.rounds:
        return _rounds_table(tuning, sign)
    if tuning.adaptive:
        return _tries_table(tuning, sign)
    curves = [tuning_curve(pair, tuning.goal) for pair in tuning.pairs]
    if all(pair.chosen is None for pair in tuning.pairs):
        return None
    tries = _powers(max(map(len, curves)))
    if not tries:
        return None
    columns = [Column(_tries(count), tuple(_point(curve, count) for curve in curves)) for count in tries]
    title = f"Tuning curve: {tuning.metric} to expect from the best of a number of tries, with a 95 % band"
    told = "median; the band holds for all numbers of tries at once; ?: there are too few values for a bound"
    return _by_pair(title, tuning, columns, told)


def _tries_table(tuning: TuningResult, sign: str) -> TextTable | None:
    courses = [by_tries(pair, tuning.goal) for pair in tuning.pairs]
    tries = _powers(max(map(len, courses)))
    if not tries or tries[-1] < LEAST:
        return None
    columns = [Column(_tries(count), tuple(_found(one, count - 1, sign) for one in courses)) for count in tries]
    title = f"Tuning course: the best {tuning.metric} after a number of tries, in the order of the draws"
    told = (
        f"{sign}: over the tuning seeds; no band, because later values were drawn where earlier ones did well: another "
        "seed of the sampler would draw others"
    )
    return _by_pair(title, tuning, columns, told)


def _rounds_table(tuning: TuningResult, sign: str) -> TextTable | None:
    courses = [by_rounds(pair, tuning.goal, tuning.rounds) for pair in tuning.pairs]
    most = max(courses, key=len)
    if len(most) < 2:
        return None
    columns = []
    for number, point in enumerate(most):
        alike = {(one[number].effort, one[number].values) for one in courses if number < len(one)}
        # With repeated tuning, repetitions may keep different values, and then pairs differ in what they train.
        spent = f"{point.effort:,} epochs:\n{point.values} for" if len(alike) == 1 else f"round {number + 1}:\nfor"
        columns.append(Column(f"{spent} {point.epochs}", tuple(_found(one, number, sign) for one in courses)))
    title = f"Tuning course: the best {tuning.metric} of each round of halving, by the epochs spent so far"
    told = (
        f"epochs of all values and tuning seeds of a pair; 9 for 3: 9 values, 3 epochs each; {sign}: over the tuning "
        "seeds; no band, because each round trains the best of the one before"
    )
    return _by_pair(title, tuning, columns, told)


def _found(course: Sequence[CoursePoint], place: int, sign: str) -> str:
    return format_spread(course[place].score, sign) if place < len(course) else "-"


def _by_pair(title: str, tuning: TuningResult, columns: Sequence[Column], told: str) -> TextTable:
    return TextTable(title, Column("pair", tuning.names, right=False), tuple(columns), told)


def _powers(most: int) -> list[int]:
    """Return 1, 2, 4, and so on, and the last number."""
    return sorted({*(2**power for power in range(most.bit_length())), most} - {0})


def _tries(count: int) -> str:
    return f"{count} {'try' if count == 1 else 'tries'}"


def _point(curve: Sequence[TuningPoint], tries: int) -> str:
    point = next((one for one in curve if one.tries == tries), None)
    if point is None:
        return "-"
    low, high = ("?" if math.isinf(end) else format_number(end, 3) for end in (point.low, point.high))
    median = "no score" if math.isinf(point.median) else format_number(point.median, 3)
    return f"{median} [{low}, {high}]"


def tuning_notes(tuning: TuningResult) -> list[str]:
    """Return caveats about the choices."""
    texts = [text for key in _tuned_keys(tuning) if (text := _edge_note(tuning, key))]
    some = any(pair.chosen is not None for pair in tuning.pairs)
    if some and tuning.validation is not None and tuning.validation < FEW_SAMPLES and tuning.repeats == 1:
        about = ", and the verdicts are about these values only" if len(tuning.pairs) > 1 else ""
        texts.append(
            f"these values were chosen on {tuning.validation} validation samples; another tuning may differ{about}"
        )
    if (saved := saved_share(tuning)) >= 0.005:
        share = f"{100 * saved:.0f} %"
        texts.append(f"tuning took {share} fewer epochs, because some values diverged, died or were stopped early")
    named = zip(tuning.names, tuning.pairs, strict=True)
    lost = [name for name, pair in named if pair.chosen is None and all(one.ended for one in pair.trials)]
    if len(lost) == len(tuning.pairs):
        texts.append(f"no tuning run ended with a finite {tuning.metric}, so nothing is compared{_what_to_try(tuning)}")
    elif lost:
        texts.append(
            f"no run of {', '.join(lost)} ended with a finite score, so "
            f"{'it is' if len(lost) == 1 else 'they are'} not in the leaderboard"
        )
    return texts


def _tuned_keys(tuning: TuningResult) -> list[str]:
    return list(dict.fromkeys(key for pair in tuning.pairs for key in pair.on_edge))


def _edge_note(tuning: TuningResult, key: str) -> str:
    """Say whose best value is the smallest or the largest one that was tried; "" for a key without an order."""
    ends: dict[str, list[str]] = {}
    for name, pair in zip(tuning.names, tuning.pairs, strict=True):
        if pair.chosen is not None and key in pair.on_edge:
            best, others = pair.chosen.values[key], [trial.values[key] for trial in pair.trials]
            which = "the largest" if 2 * best > min(others) + max(others) else "the smallest"
            # With repeated tuning, each repetition has values of its own, and the usual choice need not be their end.
            ends.setdefault(which, []).append(name if tuning.repeats > 1 else f"{name} ({word(best)})")
    often = "in half of the tunings or more, " if tuning.repeats > 1 else ""
    said = [f"{often}the best {key} of {' and of '.join(names)} is {which} one tried" for which, names in ends.items()]
    return f"{'; '.join(said)}; a wider range may do better" if said else ""


def _what_to_try(tuning: TuningResult) -> str:
    """Suggest what may help if every value was lost, by what was tried; "" if no value diverged."""
    trials = [trial for pair in tuning.pairs for trial in pair.trials]
    if not any(trial.diverged for trial in trials):
        return ""
    rates = [trial.cell.config["learning_rate"] for trial in trials]
    return (
        f"; try a learning_rate below {min(rates):g}, the smallest one so far, or look for another cause, such as "
        "inputs or targets that are not standardized"
    )

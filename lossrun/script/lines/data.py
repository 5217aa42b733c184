"""Write the function `load_data` of a script: with numpy alone, it returns the numbers that lossrun trains on."""

import numpy as np

from lossrun.data.samples.scaling import FAR_FROM_ZERO
from lossrun.data.samples.streams import DataStream
from lossrun.script.lines import synthetic
from lossrun.script.lines.own import given_parts
from lossrun.script.lines.reading import reading
from lossrun.script.lines.script_input import ScriptInput
from lossrun.script.lines.splitting import splitting
from lossrun.script.lines.synthetic import stream
from lossrun.script.lines.text import Section, comment, function, let, literal
from lossrun.script.lines.weights import has_sample_weights

FIT_SCALING = '''def fit_scaling(values):
    """Mean and standard deviation of each column; 1 for a constant one."""
    std = values.std(axis=0, dtype=np.float64)
    constant = values.max(axis=0) == values.min(axis=0)
    return values.mean(axis=0, dtype=np.float64), np.where(constant, 1.0, std)'''

FIT_FAR_SCALING = '''def fit_scaling(values):
    """Mean and standard deviation of each column; 1 for a constant one."""
    mean = values.mean(axis=0, dtype=np.float64)
    std = values.std(axis=0, dtype=np.float64)
    constant = values.max(axis=0) == values.min(axis=0)
    # The sum of numbers far from 0 is rounded; a second pass corrects the mean.
    far = (np.abs(mean) > 1e6 * std) & ~constant
    mean = np.where(far, mean + (values - mean).mean(axis=0, dtype=np.float64), mean)
    again = np.sqrt(np.square(values - mean).mean(axis=0, dtype=np.float64))
    return mean, np.where(constant, 1.0, np.where(far, again, std))'''


def data_section(experiment: ScriptInput, *, channels_last: bool = False) -> Section:
    """Return `load_data()`, which returns {part: (inputs, targets)} for every part."""
    outside, lines = reading(experiment, channels_last)
    dataset, data = experiment.config.dataset, experiment.data
    section = Section(imports=["import numpy as np"]) + outside
    given = given_parts(experiment)
    present = [short for short, part in (("val", data.validation), ("test", data.test)) if part is not None]
    lines = [*lines, *splitting(experiment, given, section)]
    if dataset.parameters.get("missing") == "mean":
        lines += ["means = np.nanmean(x, axis=0)"]
        lines += _for_each("x", present, "np.where(np.isnan({0}), means, {0})")
    lines += _corruption(experiment)
    lines += _scaling(experiment, present, section)
    names = {"val": "validation", "test": "test"}
    weighted = has_sample_weights(experiment)
    if weighted:
        lines += _for_each("w", present, "{0}.astype(np.float32)")
    suffixes = {"train": "", **{names[short]: f"_{short}" for short in present}}
    pairs = [
        f'"{part}": (x{suffix}, y{suffix}{f", w{suffix}" if weighted else ""})' for part, suffix in suffixes.items()
    ]
    returned = f"return {{{', '.join(pairs)}}}"
    if len(returned) > 84:
        returned = "return {\n" + "".join(f"    {pair},\n" for pair in pairs) + "}"
    what = "Inputs, targets and weights" if weighted else "Inputs and targets"
    about = f"{what} of each part as numpy arrays: the same numbers as in lossrun."
    section.functions.append(function("def load_data()", about, [*lines, returned]))
    return section


def _for_each(what: str, present: list[str], expression: str) -> list[str]:
    """Return the expression for each part ({0} is its name), on one line if it fits."""
    names = [what, *(f"{what}_{short}" for short in present)]
    if len(names) == 1:
        return [f"{what} = {expression.format(what)}"]
    every = ", ".join(names)
    return [let(every, f"({expression.format('part')} for part in ({every}))")]


def _corruption(experiment: ScriptInput) -> list[str]:
    asked = experiment.config.dataset["corrupt"]
    lines: list[str] = []
    if not asked:
        return lines
    share, seed = asked["label_noise"], asked["seed"]
    if share:
        lines += [
            *comment(f"{share:.1%} of the training labels are made wrong on purpose."),
            f"rng = {stream(seed, DataStream.LABEL_NOISE)}",
            f"wrong = rng.permutation(y.size)[:{round(share * experiment.data.train.targets.size)}]",
        ]
        if experiment.facts.task == "multiclass":
            k = experiment.facts.target_size
            lines += [f"y[wrong] = (y[wrong] + rng.integers(1, {k}, len(wrong))) % {k}"]
        else:
            lines += ["y.flat[wrong] = 1 - y.flat[wrong]"]
    if asked["outliers"]:
        targets = experiment.data.train.targets
        chosen = round(asked["outliers"] * targets.size)
        displaced = "y + displacement * y.std(axis=0, dtype=np.float64)"
        if targets.dtype == np.float32:
            displaced = f"({displaced}).astype(np.float32)"
        lines += [
            *comment(
                f"{asked['outliers']:.1%} of the training targets are displaced by {asked['outlier_scale']:g} standard "
                "deviations."
            ),
            f"rng = {stream(seed, DataStream.OUTLIERS)}",
            "displacement = np.zeros(y.shape)",
            f"chosen = rng.permutation(y.size)[:{chosen}]",
            f"signs = rng.choice([-1.0, 1.0], {chosen})",
            f"displacement.flat[chosen] = {literal(asked['outlier_scale'])} * signs",
            f"y = {displaced}",
        ]
    return lines


def _scaling(experiment: ScriptInput, present: list[str], section: Section) -> list[str]:
    """Return the lines that standardize in double precision and then round."""
    standardize, data = experiment.config.dataset["standardize"], experiment.data
    kind = "np.float64" if experiment.config.precision == "float64" else "np.float32"
    is_rounded = hasattr(synthetic, experiment.config.dataset.name)
    lines: list[str] = []
    if standardize["inputs"]:
        images = data.train.inputs.ndim == 4
        lines += [
            "mean, std = x.mean(dtype=np.float64), x.std(dtype=np.float64)" if images else "mean, std = fit_scaling(x)",
            *_for_each("x", present, f"(({{0}} - mean) / std).astype({kind})"),
        ]
    elif data.input_scaling.std != 1:
        divisor = f"{float(data.input_scaling.std):g}"
        lines += _for_each("x", present, f"{{0}}.astype(np.float32) / {divisor}")
    elif not is_rounded:
        lines += _for_each("x", present, f"{{0}}.astype({kind})")
    if standardize["targets"]:
        lines += [
            "mean, std = fit_scaling(y)  # losses are then in standard deviations",
            *_for_each("y", present, f"(({{0}} - mean) / std).astype({kind})"),
        ]
    elif experiment.facts.task == "regression" and not is_rounded:
        lines += _for_each("y", present, f"{{0}}.astype({kind})")
    if any("fit_scaling" in line for line in lines):
        scalings = [data.input_scaling, data.target_scaling]
        far = any((np.abs(scaling.mean) > FAR_FROM_ZERO * scaling.std).any() for scaling in scalings)
        section.functions.append(FIT_FAR_SCALING if far else FIT_SCALING)
    return lines

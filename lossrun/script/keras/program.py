"""Write the whole script in Keras 3, for any of its backends."""

from typing import Any, Final

from lossrun.catalog.schedules import waits_for_results
from lossrun.catalog.schedules.by_result import epochs_as_in_pytorch
from lossrun.errors import UsageError
from lossrun.script.keras.losses import loss_section
from lossrun.script.keras.model import layers_section
from lossrun.script.keras.optimizer import optimizer_section, rate_is_formula
from lossrun.script.lines import rates
from lossrun.script.lines.data import data_section
from lossrun.script.lines.heading import heading, settings
from lossrun.script.lines.script_input import ScriptInput
from lossrun.script.lines.text import Section, call, docstring, function, module, number, quoted
from lossrun.script.lines.weights import has_sample_weights

SCHEDULE: Final = """class Schedule(keras.optimizers.schedules.LearningRateSchedule):
ABOUT
    def __call__(self, step):
        step = ops.cast(step, "float32")
BODY"""

DROP_LAST: Final = '''class Batches(keras.utils.PyDataset):
    """Batches without the last, smaller one, because model.fit has no drop_last."""

    def __init__(self, *arrays):
        super().__init__()
        self.arrays = arrays
        self.on_epoch_end()

    def __len__(self):
        return len(self.arrays[0]) // BATCH_SIZE

    def __getitem__(self, number):
        rows = self.order[number * BATCH_SIZE : (number + 1) * BATCH_SIZE]
        return tuple(array[rows] for array in self.arrays)

    def on_epoch_end(self):
        self.order = ORDER(len(self.arrays[0]))'''

MACRO_F1: Final = '''class MacroF1(keras.metrics.F1Score):
    """The mean F1 of the labels, from logits."""

    def __init__(self):
        super().__init__("macro", threshold=0.5, name="macro_f1")

    def update_state(self, targets, outputs, sample_weight=None):
        super().update_state(targets, ops.sigmoid(outputs), sample_weight)'''

ACCURACY: Final = '''def accuracy(targets, outputs):
    """The share of right answers; Keras' own metric needs probabilities."""
    right = ops.equal(outputs COMPARED, targets > 0.5)
    return ops.mean(ops.cast(right, "float32"), axis=-1)'''

PLATEAU: Final = '''class ReduceOnPlateau(keras.callbacks.Callback):
    """PyTorch's rule: reduce after more than PATIENCE epochs without an improvement.

    Keras' own waits one epoch less, and its improvement is always a difference.
    """

    def on_train_begin(self, logs=None):
        self.best, self.bad_epochs, self.cooldown = WORST, 0, 0

    def on_epoch_end(self, epoch, logs=None):
        value = logs["WATCHED"]
        better = value BETTER
        self.best = value if better else self.best
        if self.cooldown:
            self.cooldown, self.bad_epochs = self.cooldown - 1, 0
            return
        self.bad_epochs = 0 if better else self.bad_epochs + 1
        if self.bad_epochs > PATIENCE:
            self.bad_epochs, self.cooldown = 0, COOLDOWN
            rate = float(ops.convert_to_numpy(self.model.optimizer.learning_rate))
            self.model.optimizer.learning_rate = max(rate * FACTOR, MIN_RATE)'''


def script(experiment: ScriptInput) -> str:
    """Return the script. Raises UsageError for what Keras cannot do as lossrun does."""
    config = experiment.config
    if config.device not in ("auto", "cpu", "cuda"):
        raise UsageError(f"device: {config.device}: the backend of Keras chooses the device; use device: auto")
    head = Section(imports=["import keras"], constants=settings(experiment))
    if config.precision == "float64":
        head.constants.append('\nkeras.config.set_floatx("float64")')
    elif config.precision == "bf16":
        head.constants.append('\nkeras.config.set_dtype_policy("mixed_bfloat16")')
    layers, model_lines = layers_section(experiment)
    optimizer, optimizer_lines = optimizer_section(experiment)
    loss = loss_section(experiment)
    section = head + data_section(experiment, channels_last=len(experiment.facts.input_shape) == 3)
    policy = [line for line in section.constants if line.startswith("\n")]
    section = section + loss + layers + optimizer
    section.constants = [line for line in section.constants if line not in policy] + policy
    metric, weighted = _metric(experiment, section), has_sample_weights(experiment)
    if rate_is_formula(experiment):
        section.functions.append(_schedule(experiment))
        section.imports.append("from keras import ops")
        optimizer_lines = [line.replace("learning_rate=RATE", "Schedule()") for line in optimizer_lines]
    optimizer_lines = [line.replace("learning_rate=RATE", "LEARNING_RATE") for line in optimizer_lines]
    section.functions.append(_build(model_lines, optimizer_lines, metric, weighted=weighted))
    if experiment.drops_last:
        order = "np.random.permutation" if config.shuffle else "np.arange"
        section.functions.append(DROP_LAST.replace("ORDER", order))
    section.functions.append(_main(experiment, section))
    if any("ops." in text.replace("keras.ops.", "") for text in section.functions):
        section.imports.append("from keras import ops")
    about = heading(experiment, "keras", ["numpy", "keras"])
    return module(about, section, 'if __name__ == "__main__":\n    main()')


def _build(model_lines: list[str], optimizer_lines: list[str], metric: str, *, weighted: bool) -> str:
    metrics = [f"{'weighted_' * weighted}metrics=[{metric}]"] if metric else []
    compiled = call("model.compile", ["optimizer", "loss_fn", *metrics], level=1)
    return function("def build_model()", "", [*model_lines, *optimizer_lines, compiled, "return model"])


def _metric(experiment: ScriptInput, section: Section) -> str:
    """Return the content of `metrics=[...]`; its definition goes into the section."""
    binary = experiment.facts.task in ("binary", "multilabel")
    match experiment.metric:
        case "accuracy" if not binary:
            return '"accuracy"'
        case "accuracy" if experiment.yes == "> 0.5":
            return '"accuracy"'
        case "accuracy":
            section.functions.append(ACCURACY.replace("COMPARED", experiment.yes))
            return "accuracy"
        case "macro_f1" if experiment.yes == "> 0":
            section.functions.append(MACRO_F1)
            return "MacroF1()"
        case "macro_f1":
            return 'keras.metrics.F1Score("macro", threshold=0.5, name="macro_f1")'
        case "rmse":
            return 'keras.metrics.RootMeanSquaredError(name="rmse")'
    return ""


def _schedule(experiment: ScriptInput) -> str:
    decay = experiment.config.optimizer.parameters.get("lr_decay")
    body = rates.formula(experiment, "ops") if rates.moves(experiment) else ["return LEARNING_RATE"]
    about = rates.about(experiment) if rates.moves(experiment) else "Adagrad's falling rate: PyTorch's lr_decay."
    if decay:
        *body, last = body
        body.append(f"rate = {last.removeprefix('return ')}")
        body.append(f"return rate / (1 + {number(decay)} * step)  # adagrad's lr_decay")
    text = "\n".join(f"        {line}" for line in body)
    return SCHEDULE.replace("ABOUT", "\n".join(docstring(about)) + "\n").replace("BODY", text)


def _watched(experiment: ScriptInput, key: str, metric: str) -> str:
    """Return Keras' name of a metric to watch. Raises UsageError for a metric that the script does not compute."""
    why = " (Keras' own AUC is a sum over thresholds, which differs; --as pytorch computes it)"
    found = experiment.monitored(key, metric, why=why * (metric == "val_auc"))
    return "loss" if found == "train_loss" else found


def _main(experiment: ScriptInput, section: Section) -> str:
    config, facts = experiment.config, experiment.facts
    lines = [
        "keras.utils.set_random_seed(SEED)",
        "data = load_data()",
        "model = build_model()",
    ]
    callbacks: list[str] = []
    early, best = config.early_stopping, config.best
    if waits_for_results(config.schedule.name) and not rates.moves(experiment):
        section.functions.append(_plateau(experiment))
        callbacks.append("ReduceOnPlateau()")
    if facts.test:
        watched = _watched(experiment, "best.metric", best.metric)
        arguments = ['"best.weights.h5"', f"monitor={quoted(watched)}", f"mode={quoted(best.mode)}"]
        arguments += ["save_best_only=True", "save_weights_only=True"]
        callbacks.append(call("keras.callbacks.ModelCheckpoint", arguments, level=3))
    if early:
        watched = _watched(experiment, "early_stopping.metric", early.metric)
        arguments = [f"monitor={quoted(watched)}", f"mode={quoted(early.mode)}", f"patience={early.patience}"]
        arguments += [f"min_delta={number(early.min_delta)}"] if early.min_delta else []
        callbacks.append(call("keras.callbacks.EarlyStopping", arguments, level=3))

    def arguments_of(part: str) -> list[str]:
        if not has_sample_weights(experiment):
            return [f'*data["{part}"]']
        return [f'*data["{part}"][:2]', f'sample_weight=data["{part}"][2]']

    fit = ['Batches(*data["train"])'] if experiment.drops_last else [*arguments_of("train"), "batch_size=BATCH_SIZE"]
    fit.append("epochs=EPOCHS")
    if not config.shuffle and not experiment.drops_last:
        fit.append("shuffle=False")
    if facts.validation:
        fit.append('validation_data=data["validation"]')
    if callbacks:
        fit.append("callbacks=[\n" + "".join(f"    {line}\n" for c in callbacks for line in f"{c},".split("\n")) + "]")
    fit.append("verbose=2")
    lines.append(call("model.fit", fit, level=1))
    if facts.test:
        lines += [
            'model.load_weights("best.weights.h5")',
            call("scores = model.evaluate", [*arguments_of("test"), "verbose=0", "return_dict=True"], level=1),
            'print("best weights:", ", ".join(f"test_{k} {v:.6g}" for k, v in scores.items()))',
        ]
    return function("def main()", "", lines)


def _plateau(experiment: ScriptInput) -> str:
    schedule: Any = experiment.config.schedule
    watched = _watched(experiment, "schedule.metric", schedule["metric"])
    is_min, threshold = schedule["mode"] == "min", number(schedule["threshold"])
    sign, share = "-" if is_min else "+", schedule["threshold_mode"] == "rel"
    bound = f"self.best * (1 {sign} {threshold})" if share else f"self.best {sign} {threshold}"
    epochs = epochs_as_in_pytorch(schedule.parameters)
    words = {
        "WORST": 'float("inf")' if is_min else 'float("-inf")',
        "WATCHED": watched,
        "BETTER": f"{'<' if is_min else '>'} {bound}",
        "PATIENCE": str(epochs["patience"]),
        "COOLDOWN": str(epochs["cooldown"]),
        "FACTOR": number(schedule["factor"]),
        "MIN_RATE": number(schedule["min_rate"]),
    }
    text = PLATEAU
    for word, value in words.items():
        text = text.replace(word, value)
    return text

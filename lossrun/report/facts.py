"""A config and its data in the words of a banner: what will be done, line by line."""

from collections.abc import Container, Mapping, Sequence
from typing import Final

from lossrun.catalog import DataFacts, find, get
from lossrun.catalog.declaration import Layer, Model
from lossrun.config import Choice, Config
from lossrun.config.resolve import ignored_class, ignored_label, loss_declaration, output_size
from lossrun.config.source import Path

SEEDS_LISTED: Final = 20  # one by one; more of them by the first and the last, where none between is left out
_FORMS = {
    "logits": "logits",
    "probabilities": "probabilities",
    "log_probabilities": "log-probabilities",
}
_ACTIVATED = {"softmax": "probabilities", "sigmoid": "probabilities", "log_softmax": "log_probabilities"}
_READINGS = {"log_mean": "logarithms of means", "mean_and_log_variance": "means and log-variances"}


def facts(
    config: Config,
    known: DataFacts,
    notes: Sequence[str] = (),
    own_layers: Sequence[Layer] = (),
    written: Container[Path] = (),
) -> dict[str, str]:
    """Data with notes on them, model, loss and what it expects, optimizer, seed. `config` is resolved; `own_layers`
    are those of a user's own model.

    `written`: the keys that the config gives a value; these are shown also where it switches something off.
    """
    return {
        "data": data_line(config, known, notes),
        "model": model_line(config, known, own_layers, written),
        "loss": loss_line(config, known, written),
        "optimizer": optimizer_line(config, known, written),
        "seed": seed_line(config),
    }


def layers(config: Config, data_facts: DataFacts, own_layers: Sequence[Layer] = ()) -> list[Layer]:
    """The summary's rows, from the declaration; for a user's own model those that were seen on a batch."""
    if config.model.is_plugin:
        return list(own_layers)
    model = get("model", config.model.name)
    assert isinstance(model, Model)
    return model.layers(dict(config.model.parameters), data_facts.input_shape, output_size(config, data_facts))


def data_line(config: Config, known: DataFacts, notes: Sequence[str]) -> str:
    kinds = {
        "regression": f"{known.target_size} target{'s' if known.target_size > 1 else ''}",
        "binary": "yes or no",
        "multiclass": f"{known.target_size} classes",
        "multilabel": f"{known.target_size} labels",
    }
    shape = " x ".join(str(size) for size in known.input_shape)
    text = f"{config.dataset.name}: {shape} input{'' if shape == '1' else 's'}, {known.task} ({kinds[known.task]})\n"
    text += f"{known.train:,} to train, {known.validation:,} to validate, {known.test:,} to test"
    text += f" ({_split(config, known)})"
    return "\n".join([text, *notes])


def _split(config: Config, known: DataFacts) -> str:
    seed = config.dataset["split_seed"]
    drawn_by = "the seed of the run" if seed == "seed" else f"seed {seed}"
    if given := _given_split(config.dataset.parameters.get("split"), drawn_by):
        return given
    parts: list[str] = []
    if known.validation or (known.test and config.dataset["test"] != "official"):
        stratified = ", stratified" if known.task in ("binary", "multiclass") else ""
        parts.append(f"split by {drawn_by}{stratified}")
    if known.test and config.dataset["test"] == "official":
        parts.append("official test set")
    return "; ".join(parts) or "no split"


def _given_split(split: Mapping[str, object] | None, drawn_by: str) -> str:
    """How the data themselves say which samples are held out; "" where they do not."""
    chosen = {way: value for way, value in (split or {}).items() if value is not None}
    if "column" in chosen:
        return f"split by column {chosen['column']}"
    if "groups" in chosen:
        return f"split by groups of {chosen['groups']}, {drawn_by}"
    if "order" in chosen:
        return f"split in the order of {chosen['order']}"
    return ", ".join(f"{part} from {path}" for part, path in chosen.items())


def model_line(
    config: Config, known: DataFacts, own_layers: Sequence[Layer] = (), written: Container[Path] = ()
) -> str:
    output = config.model["output"]
    gives = (
        "plain values" if known.task == "regression" and output == "none" else "logits" if output == "none" else output
    )
    total = sum(layer.parameters for layer in layers(config, known, own_layers))
    count = f", {total:,} parameters" if total else ""
    switched = [
        f", {name.replace('_', ' ')}{'' if value is True else ' off' if value is False else f' {value}'}"
        for name in ("dropout", "batch_norm")
        if (value := config.model.parameters.get(name)) or ("model", name) in written
    ]
    return f"{config.model.name}{count}{''.join(switched)}, giving {gives}"


def loss_line(config: Config, known: DataFacts, written: Container[Path] = ()) -> str:
    parameters = config.loss.parameters
    form = parameters.get("inputs")
    declared = loss_declaration(config.loss)
    targets = {
        "regression": "standardized targets" if _has_scaled_targets(config) else "real targets",
        "binary": "0 or 1",
        # What is made for other tasks takes classes number by number.
        "multiclass": "class indices" if declared is None or declared.tasks == ("multiclass",) else "one-hot classes",
        "multilabel": "zeros and ones",
    }[known.task]
    read_as = declared.prediction if declared else None
    # Numbers are taken as they are, but for losses that put them through a sigmoid.
    plain = known.task == "regression" and read_as != "probabilities"
    form = form or _ACTIVATED.get(str(config.model.parameters.get("output")))
    outputs = _READINGS.get(str(read_as), "outputs") if plain else _FORMS.get(str(form), "outputs")
    if read_as == "log_mean" and not parameters["log_input"]:
        outputs = "outputs"
    text = f"{config.loss.name} of {outputs} against {targets}"
    shown = _shown("loss", config.loss, written, leave_out=("inputs", "reduction", "weight_convention"))
    text = f"{text}, {parameters['reduction']}" + (f" ({shown})" if shown else "")
    if ignored_class(config.loss, known) is None:
        return text
    return f"{text}\nsamples of class {ignored_label(config.loss)} count neither in the loss nor in the metrics"


def _has_scaled_targets(config: Config) -> bool:
    standardize = config.dataset.parameters.get("standardize")
    return bool(isinstance(standardize, Mapping) and standardize["targets"])


def optimizer_line(config: Config, known: DataFacts, written: Container[Path] = ()) -> str:
    shown = _shown("optimizer", config.optimizer, written)
    text = f"{config.optimizer.name}" + (f" ({shown})" if shown else "")
    schedule = config.schedule.name
    size, steps = config.samples_per_step(known.train), config.steps_per_epoch(known.train)
    rate = f"learning rate {config.learning_rate:g}" + (f", {schedule}" if schedule != "constant" else "")
    return f"{text}, {rate}\n{_count(config.epochs, 'epoch')} of {_count(steps, 'step')}, batches of {size:,}"


def seed_line(config: Config) -> str:
    if len(config.seeds) > SEEDS_LISTED and config.seeds == tuple(range(config.seeds[0], config.seeds[-1] + 1)):
        return f"{config.seeds[0]} to {config.seeds[-1]} ({len(config.seeds):,} seeds)"
    if len(config.seeds) > 1:
        return ", ".join(str(seed) for seed in config.seeds)
    return f"{config.seeds[0]} (repeats exactly; seeds: 6 shows the spread)"


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def _shown(kind: str, choice: Choice, written: Container[Path], leave_out: tuple[str, ...] = ()) -> str:
    """The parameters that are switched on, that are not what they would be by default, or that somebody has written
    down, `name value` each: a 0 may be a class, or a choice."""
    found = None if choice.is_plugin else find(kind, choice.name)
    shown = []
    for name, value in choice.parameters.items():
        declared = found.component.parameter(name) if found else None
        off = value in (False, 0, [])
        said = any((kind, spelling) in written for spelling in (name, *(declared.aliases if declared else ())))
        chosen = declared is None or value != declared.default or said
        if value is not None and name not in leave_out and (chosen or not off):
            shown.append(f"{name} {_text(value)}")
    return ", ".join(shown)


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key}: {item}' for key, item in value.items())}}}"
    return '""' if value == "" else str(value)

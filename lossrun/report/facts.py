"""Describe a config and its data, one line for each part: what the run will do."""

from collections.abc import Container, Mapping, Sequence
from typing import Final

from lossrun.catalog import DataFacts, find, get
from lossrun.catalog.declaration import Layer, Model
from lossrun.catalog.schedules import moves
from lossrun.config import Choice, Config
from lossrun.config.resolve import ignored_class, ignored_label, loss_declaration, output_size
from lossrun.config.source import Path

SEEDS_LISTED: Final = 20  # more consecutive seeds are shown by the first and the last
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
    """Return a line for the data (with notes), the model, the loss, the optimizer, and the seed.

    Args:
        config: The resolved config.
        known: The facts about the data.
        notes: Notes about the data.
        own_layers: The layers of the user's own model.
        written: The keys that the config gives a value; these are shown even if they switch something off.
    """
    return {
        "data": data_line(config, known, notes),
        "model": model_line(config, known, own_layers, written),
        "loss": loss_line(config, known, written),
        "optimizer": optimizer_line(config, known, written),
        "seed": seed_line(config),
    }


def layers(config: Config, data_facts: DataFacts, own_layers: Sequence[Layer] = ()) -> list[Layer]:
    """Return the rows of the model's summary; for the user's own model, `own_layers`."""
    if config.model.is_plugin:
        return list(own_layers)
    model = get("model", config.model.name)
    assert isinstance(model, Model)
    return model.layers(dict(config.model.parameters), data_facts.input_shape, output_size(config, data_facts))


def data_line(config: Config, known: DataFacts, notes: Sequence[str]) -> str:
    kinds = {
        "regression": f"regression ({_count(known.target_size, 'target')})",
        "binary": "binary classification (2 classes)",
        "multiclass": f"multiclass classification ({known.target_size} classes)",
        "multilabel": f"multilabel classification ({_count(known.target_size, 'label')})",
    }
    shape = " x ".join(str(size) for size in known.input_shape)
    text = f"{config.dataset.name}: {shape} input{'' if shape == '1' else 's'}, {kinds[known.task]}\n"
    text += f"{known.train:,} training, {known.validation:,} validation, {known.test:,} test samples"
    text += f" ({_split(config, known)})"
    return "\n".join([text, *notes])


def _split(config: Config, known: DataFacts) -> str:
    seed = config.dataset["split_seed"]
    drawn_by = "the run's seed" if seed == "seed" else f"seed {seed}"
    if config.splits:
        own = f"seeds {', '.join(map(str, config.splits))}" if isinstance(config.splits, tuple) else ""
        drawn_by = own or f"the first seed of each of {config.splits} splits"
    if config.folds:
        some = f"folds {', '.join(config.folds)}" if isinstance(config.folds, tuple) else f"{config.folds} folds"
        return f"{some} of a division by seed {seed}"
    split = config.dataset.parameters.get("split") or {}
    if given := _given_split(split, drawn_by):
        return given
    as_given = [part for part in known.brought if split.get(part) is None]
    parts = [f"{part} from {split[part]}" for part in known.brought if part not in as_given]
    if known.test and config.dataset["test"] == "official":
        parts, as_given = [*parts, "official test set"], [part for part in as_given if part != "test"]
    if as_given:
        parts.append(f"{' and '.join(as_given)} part{'s' if len(as_given) > 1 else ''} given by the data")
    is_drawn = {part: part not in known.brought for part in ("validation", "test")}
    is_drawn["test"] &= config.dataset["test"] != "official"
    if (known.validation and is_drawn["validation"]) or (known.test and is_drawn["test"]):
        stratified = ", stratified" if known.task in ("binary", "multiclass") else ""
        parts.insert(0, f"split with {drawn_by}{stratified}")
    return "; ".join(parts) or "no split"


def _given_split(split: Mapping[str, object], drawn_by: str) -> str:
    """Say how a column of the data defines the split; "" if none does."""
    if split.get("column") is not None:
        return f"split by column {split['column']}"
    if split.get("groups") is not None:
        return f"split by groups in {split['groups']}, with {drawn_by}"
    return f"split in order of {split['order']}" if split.get("order") is not None else ""


def model_line(config: Config, known: DataFacts, own_layers: Sequence[Layer], written: Container[Path]) -> str:
    output = config.model["output"]
    if output == "none":
        output = "raw values" if known.task == "regression" else "logits"
    total = sum(layer.parameters for layer in layers(config, known, own_layers))
    count = f", {total:,} parameters" if total else ""
    switched = [
        f", {name.replace('_', ' ')}{'' if value is True else ' off' if value is False else f' {value}'}"
        for name in ("dropout", "batch_norm")
        if (value := config.model.parameters.get(name)) or ("model", name) in written
    ]
    return f"{config.model.name}{count}{''.join(switched)}, output: {output}"


def loss_line(config: Config, known: DataFacts, written: Container[Path]) -> str:
    parameters = config.loss.parameters
    form = parameters.get("inputs")
    declared = loss_declaration(config.loss)
    targets = {
        "regression": "standardized targets" if _has_scaled_targets(config) else "real-valued targets",
        "binary": "targets 0 and 1",
        # A loss for another task compares numbers, so it gets a number for each class.
        "multiclass": "class indices" if declared is None or declared.tasks == ("multiclass",) else "one-hot classes",
        "multilabel": "labels 0 and 1",
    }[known.task]
    read_as = declared.prediction if declared else None
    # Losses for numbers use the outputs as they are, unless they apply a sigmoid.
    plain = known.task == "regression" and read_as != "probabilities"
    form = form or _ACTIVATED.get(str(config.model.parameters.get("output")))
    outputs = _READINGS.get(str(read_as), "outputs") if plain else _FORMS.get(str(form), "outputs")
    if read_as == "log_mean" and not parameters["log_input"]:
        outputs = "outputs"
    shown = _shown("loss", config.loss, written, leave_out=("inputs", "reduction", "weight_convention"))
    name = config.loss.name + (f" ({shown})" if shown else "")
    text = f"{name}, {outputs} vs. {targets}, {parameters['reduction']}"
    if ignored_class(config.loss, known) is None:
        return text
    return f"{text}\nsamples of class {ignored_label(config.loss)} are ignored in the loss and in the metrics"


def _has_scaled_targets(config: Config) -> bool:
    standardize = config.dataset.parameters.get("standardize")
    return bool(isinstance(standardize, Mapping) and standardize["targets"])


def optimizer_line(config: Config, known: DataFacts, written: Container[Path]) -> str:
    shown = _shown("optimizer", config.optimizer, written)
    text = f"{config.optimizer.name}" + (f" ({shown})" if shown else "")
    schedule = f", {config.schedule.name}" if moves(config.schedule.name) else ""
    size, steps = config.samples_per_step(known.train), config.steps_per_epoch(known.train)
    rate = f"learning rate {config.learning_rate:g}{schedule}"
    return f"{text}, {rate}\n{_count(config.epochs, 'epoch')} of {_count(steps, 'step')}, batches of {size:,}"


def seed_line(config: Config) -> str:
    if len(config.seeds) > SEEDS_LISTED and config.seeds == tuple(range(config.seeds[0], config.seeds[-1] + 1)):
        return f"{config.seeds[0]} to {config.seeds[-1]} ({len(config.seeds):,} seeds)"
    if len(config.seeds) > 1:
        return ", ".join(str(seed) for seed in config.seeds)
    return f"{config.seeds[0]} (repeats exactly; to see the spread over seeds, set seeds: 6)"


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def _shown(kind: str, choice: Choice, written: Container[Path], leave_out: tuple[str, ...] = ()) -> str:
    """Write parameters as `name value`.

    Shown are those that are switched on, that differ from their defaults, or that the config names: a 0 may be a class,
    or a choice.
    """
    found = None if choice.is_plugin else find(kind, choice.name)
    shown = []
    for name, value in choice.parameters.items():
        declared = found.component.parameter(name) if found else None
        off = value in (False, 0, [])
        given = any((kind, spelling) in written for spelling in (name, *(declared.aliases if declared else ())))
        chosen = declared is None or value != declared.default or given
        if value is not None and name not in leave_out and (chosen or not off):
            shown.append(f"{name} {_text(value)}")
    return ", ".join(shown)


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key}: {item}' for key, item in value.items())}}}"
    return '""' if value == "" else str(value)

"""Write the lines of a script that score a part: the mean loss, the printed metric, and what the config watches."""

from typing import Final

from lossrun.config.resolve import ignored_class, outputs_read_as
from lossrun.script.lines.script_input import ScriptInput
from lossrun.script.lines.text import Section, function
from lossrun.script.lines.weights import has_sample_weights
from lossrun.script.pytorch.losses import FUNCTIONAL, product

AUC: Final = '''def auc(scores, targets, counts):
    """The share of the pairs (sample of a class, other sample) in the right order; mean over the classes."""
    areas = []
    for score, target in zip(scores.double().T, targets.double().T):
        levels, place = score.unique(return_inverse=True)
        yes, no = (levels.new_zeros(len(levels)).index_add(0, place, part * counts) for part in (target, 1 - target))
        if yes.sum() > 0 and no.sum() > 0:
            below = no.cumsum(dim=0) - no / 2  # a tie counts half
            areas.append((yes * below).sum() / (yes.sum() * no.sum()))
    return torch.stack(areas).mean().item() if areas else float("nan")'''

_TITLES: Final = {"macro_f1": "macro F1", "auc": "AUC"}


def evaluation(experiment: ScriptInput) -> Section:
    """Return `evaluate(model, inputs, targets)` and what it needs; nothing if there is no part to score."""
    if not (experiment.facts.validation or experiment.facts.test):
        return Section()
    text = _evaluate(experiment)
    needed = [FUNCTIONAL] if "F." in text else []
    return Section(imports=needed, functions=[*([AUC] if more_metrics(experiment) else []), text])


def more_metrics(experiment: ScriptInput) -> list[str]:
    """Return further metrics that the script must compute because the config watches them."""
    of_classes = experiment.facts.task != "regression"
    return ["auc"] if of_classes and "val_auc" in experiment.watched.values() else []


def metrics(experiment: ScriptInput) -> list[str]:
    """Return the names of the metrics that `evaluate` returns after the loss."""
    return [*([experiment.metric] if experiment.metric else []), *more_metrics(experiment)]


def _evaluate(experiment: ScriptInput) -> str:
    weighted = has_sample_weights(experiment)
    ignored = None if experiment.config.loss.is_plugin else ignored_class(experiment.config.loss, experiment.facts)
    # Metrics weight the samples, and leave out those of an ignored class.
    counts = product(["weights"] * weighted + [f"(targets != {ignored})"] * (ignored is not None))
    correct = "correct.float().mean().item()"
    if counts:
        flat = "correct" if experiment.facts.task == "multiclass" else "correct.float().mean(dim=1)"
        correct = f"(({flat} * counts).sum() / counts.sum()).item()"
    match experiment.metric:
        case "accuracy" if experiment.facts.task == "multiclass":
            lines, value = ["correct = outputs.argmax(dim=1) == targets"], correct
        case "accuracy":
            lines, value = [f"correct = (outputs {experiment.yes}) == (targets > 0.5)"], correct
        case "macro_f1":
            lines = [
                f"guesses = (outputs {experiment.yes}).float()",
                "mentions = (guesses + targets).sum(dim=0)",
                "f1 = 2 * (guesses * targets).sum(dim=0) / mentions.clamp(min=1)",
            ]
            value = "f1.mean().item()"
        case "rmse":
            lines, value = [], "((outputs - targets) ** 2).mean().sqrt().item()"
        case _:
            lines, value = [], ""
    if weighted and experiment.metric == "macro_f1":
        lines = [
            lines[0],
            "hits = (guesses * targets * counts[:, None]).sum(dim=0)",
            "mentions = ((guesses + targets) * counts[:, None]).sum(dim=0)",
            "f1 = 2 * hits / mentions.clamp(min=1e-30)",
        ]
    if weighted and experiment.metric == "rmse":
        lines = ["squares = ((outputs - targets) ** 2).mean(dim=1)"]
        value = "((squares * counts).sum() / counts.sum()).sqrt().item()"
    values = [value] if value else []
    if more_metrics(experiment):
        auc_lines, area = _auc(experiment)
        counts, lines, values = (
            counts or "torch.ones(len(targets), device=targets.device)",
            [*lines, *auc_lines],
            [*values, area],
        )
    if counts and values:
        lines = [f"counts = {counts}", *lines]
    loss = f"loss_fn(outputs, targets{', weights' if weighted else ''}).item()"
    forward = "outputs = torch.cat([model(part) for part in inputs.split(1000)])"
    mixed = ["with torch.autocast(DEVICE, torch.bfloat16):", f"    {forward}", "outputs = outputs.float()"]
    body = [
        "model.eval()",
        *(mixed if experiment.config.precision == "bf16" else [forward]),
        *lines,
        *([f"loss = {loss}", f"return loss, {', '.join(values)}"] if values else [f"return {loss}"]),
    ]
    *named, last = ["Mean loss", *(_TITLES.get(name, name) for name in metrics(experiment))]
    about = f"{', '.join(named)} and {last}." if named else f"{last}."
    parameters = experiment.config.model.parameters
    if parameters.get("dropout") or parameters.get("batch_norm"):
        about = f"{about[:-1]}, without dropout and with the running statistics of batch norm."
    return "@torch.no_grad()\n" + function(
        f"def evaluate(model, inputs, targets{', weights' if weighted else ''})", about, body
    )


def _auc(experiment: ScriptInput) -> tuple[list[str], str]:
    """Return the lines before the value, and the value."""
    config, facts = experiment.config, experiment.facts
    if facts.task != "multiclass":
        return [], "auc(outputs, targets, counts)"
    one_hot = f"F.one_hot(targets, {facts.target_size})"
    # A class is ranked by its probability, or by an output with the same order.
    is_logits = outputs_read_as(config, facts) == ("none", "probabilities")
    scores = "outputs.double().softmax(dim=1)" if is_logits else "outputs"
    return [f"area = auc({scores}, {one_hot}, counts)"], "area"


def scored(experiment: ScriptInput, part: str) -> list[str]:
    names = ", ".join([f"{part}_loss", *(f"{part}_{name}" for name in metrics(experiment))])
    weights = f", w_{part}" if has_sample_weights(experiment) else ""
    return [f"{names} = evaluate(model, x_{part}, y_{part}{weights})"]

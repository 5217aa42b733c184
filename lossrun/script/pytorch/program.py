"""Write the whole script in PyTorch."""

from textwrap import indent
from typing import Final

from lossrun.catalog.schedules import waits_for_results
from lossrun.catalog.schedules.by_result import epochs_as_in_pytorch
from lossrun.script.lines import rates
from lossrun.script.lines.data import data_section
from lossrun.script.lines.heading import heading, settings
from lossrun.script.lines.script_input import ScriptInput
from lossrun.script.lines.text import Section, call, comment, function, let, module, number
from lossrun.script.lines.weights import has_sample_weights, options
from lossrun.script.pytorch.evaluation import evaluation, metrics, more_metrics, scored
from lossrun.script.pytorch.losses import batch_count, loss_section
from lossrun.script.pytorch.model import model_section
from lossrun.script.pytorch.optimizer import optimizer_section

ORDER: Final = '''def batches(epoch, samples):
    """The indices of each batch, in lossrun's order for this epoch."""
    order = np.random.default_rng([SEED, 1, epoch]).permutation(samples)
    return torch.from_numpy(order).SPLIT'''

ORDER_UNSHUFFLED: Final = '''def batches(epoch, samples):
    """The indices of each batch: the samples in their order, in every epoch."""
    return torch.arange(samples).SPLIT'''

PLATEAU: Final = "torch.optim.lr_scheduler.ReduceLROnPlateau"


def script(experiment: ScriptInput) -> str:
    """Return the script. Raises UsageError for what PyTorch cannot do."""
    section = Section(imports=["import torch"], constants=settings(experiment))
    section.constants.append('DEVICE = "cuda" if torch.cuda.is_available() else "cpu"')
    if experiment.config.device != "auto":
        section.constants[-1] = f'DEVICE = "{experiment.config.device}"'
    section = (
        section
        + data_section(experiment)
        + model_section(experiment)
        + loss_section(experiment)
        + optimizer_section(experiment)
    )
    if rates.moves(experiment):
        body = rates.formula(experiment, "np")
        section += rates.outside(experiment)
        section.functions.append(function("def learning_rate(step)", rates.about(experiment), body))
    section.functions += [_batches(experiment), _train_step(experiment)]
    if counted := batch_count(experiment):
        section.functions.append(counted)
    section += evaluation(experiment)
    section.functions.append(_main(experiment))
    about = heading(experiment, "pytorch", ["numpy", "torch"])
    return module(about, section, 'if __name__ == "__main__":\n    main()')


def _batches(experiment: ScriptInput) -> str:
    order = ORDER if experiment.config.shuffle else ORDER_UNSHUFFLED
    last = "[:-1]  # drop_last" if experiment.drops_last else ""
    return order.replace("SPLIT", f"split(BATCH_SIZE){last}")


def _mixed(experiment: ScriptInput) -> bool:
    return experiment.config.precision == "bf16"


def _train_step(experiment: ScriptInput) -> str:
    """Return the function of one update, which returns the mean loss of the batch."""
    moving = rates.moves(experiment)
    weights = ", weights" if has_sample_weights(experiment) else ""
    lines = []
    if moving:
        lines += ["for group in optimizer.param_groups:", '    group["lr"] = float(learning_rate(step))']
    lines.append("optimizer.zero_grad()")
    if _mixed(experiment):
        lines += [
            "with torch.autocast(DEVICE, torch.bfloat16):",
            "    outputs = model(inputs)",
            f"loss = loss_fn(outputs.float(), targets{weights})",
        ]
    else:
        lines.append(f"loss = loss_fn(model(inputs), targets{weights})")
    factor = "" if experiment.config.loss.is_plugin else options(experiment).factor("len(inputs)")
    if experiment.config.loss.is_plugin and experiment.config.loss["reduction"] != "mean":
        factor = _own_factor(experiment)
    if factor:
        reduction = experiment.config.loss["reduction"]
        lines += comment(f"reduction {reduction}: the printed loss is the mean; its gradient is scaled.")
        lines.append(f"({factor} * loss).backward()")
    else:
        lines.append("loss.backward()")
    lines += ["optimizer.step()", "return loss.item()"]
    head = f"def train_step(model, optimizer, inputs, targets{weights}{', step' if moving else ''})"
    return function(head, "Update the weights once, and return the loss before the update.", lines)


def _own_factor(experiment: ScriptInput) -> str:
    reduction, outputs = experiment.config.loss["reduction"], experiment.facts.target_size
    half = " / 2" if "half" in reduction else ""
    return f"len(inputs) * {outputs}{half}" if "sum" in reduction else f"{outputs}{half}"


def _main(experiment: ScriptInput) -> str:
    config, facts = experiment.config, experiment.facts
    dtype = ", torch.float64" if config.precision == "float64" else ""
    targets = "" if facts.task == "multiclass" else dtype
    names = {"train": "train", **({"validation": "val"} if facts.validation else {})}
    names |= {"test": "test"} if facts.test else {}
    weighted = has_sample_weights(experiment)
    lines = ["data = load_data()"]
    lines += [
        let(
            f"x_{short}, y_{short}{f', w_{short}' if weighted else ''}",
            f'(torch.from_numpy(part).to(DEVICE) for part in data["{part}"])',
        )
        for part, short in names.items()
    ]
    if dtype:
        for short in names.values():
            lines.append(f"x_{short} = x_{short}.double()")
            lines += [f"y_{short} = y_{short}.double()"] if targets else []
            lines += [f"w_{short} = w_{short}.double()"] if weighted else []
    made = "build_model()" if not dtype else "build_model().double()"
    lines += [f"model = {made}", "optimizer = build_optimizer(model)"]
    best, more = config.best if facts.test else None, more_metrics(experiment)
    best_key = experiment.monitored("best.metric", best.metric, more) if best else ""
    early = config.early_stopping
    early_key = experiment.monitored("early_stopping.metric", early.metric, more) if early else ""
    plateau = _plateau(experiment)
    lines += plateau
    if rates.moves(experiment):
        lines.append("step = 0")
    worst = {"min": 'float("inf")', "max": 'float("-inf")'}
    if best:
        lines.append(f"best, best_weights = {worst[best.mode]}, model.state_dict()")
    if early:
        lines.append(f"best_seen, bad_epochs = {worst[early.mode]}, 0  # for early stopping")
    loop = _epoch(experiment)
    if best:
        loop += [
            f"if {best_key} {'<' if best.mode == 'min' else '>'} best:",
            f"    best = {best_key}",
            "    best_weights = {n: w.clone() for n, w in model.state_dict().items()}",
        ]
    if plateau:
        watched = experiment.monitored("schedule.metric", config.schedule["metric"], more)
        loop.append(f"scheduler.step({watched})")
    if early:
        margin = f" {'-' if early.mode == 'min' else '+'} {number(early.min_delta)}" if early.min_delta else ""
        loop += [
            f"if {early_key} {'<' if early.mode == 'min' else '>'} best_seen{margin}:",
            f"    best_seen, bad_epochs = {early_key}, 0",
            "else:",
            "    bad_epochs += 1",
            f"    if bad_epochs >= {early.patience}:  # early stopping",
            "        break",
        ]
    lines += ["", "for epoch in range(1, EPOCHS + 1):", indent("\n".join(loop), "    ")]
    if facts.test:
        lines += ["", "model.load_state_dict(best_weights)", *scored(experiment, "test")]
        shown = ["test_loss {test_loss:.6g}"]
        shown += [f"test_{name} {{test_{name}:.4f}}" for name in metrics(experiment)]
        lines.append(f'print(f"best weights: {", ".join(shown)}")')
    text = function("def main()", "", lines)
    return "\n".join(line.rstrip() for line in text.split("\n"))


def _epoch(experiment: ScriptInput) -> list[str]:
    dropout = experiment.config.model.parameters.get("dropout") or experiment.config.model.is_plugin
    moving = rates.moves(experiment)
    seen = "x_train"
    count, counted = f"len({seen})", batch_count(experiment)
    weights = ", w_train[rows]" if has_sample_weights(experiment) else ""
    adds_up = experiment.drops_last or bool(counted)
    if adds_up:
        count = "samples"
    step = call(
        "loss = train_step",
        [
            "model",
            "optimizer",
            "x_train[rows]",
            "y_train[rows]",
            *(["w_train[rows]"] if has_sample_weights(experiment) else []),
            *(["step"] if moving else []),
        ],
        level=3,
    )
    lines = ["model.train()"]
    lines += ["seed_torch(2, epoch)  # dropout"] if dropout else []
    lines += ["total, samples = 0.0, 0" if adds_up else "total = 0.0"]
    lines += [
        "for rows in batches(epoch, len(x_train)):",
        indent(step, "    "),
        *(
            [f"    count = counted(y_train[rows]{weights})", "    total += loss * count", "    samples += count"]
            if counted
            else ["    total += loss * len(rows)", *(["    samples += len(rows)"] if adds_up else [])]
        ),
        *(["    step += 1"] if moving else []),
        f"train_loss = total / {count}",
    ]
    shown = ["train_loss {train_loss:.6g}"]
    if experiment.facts.validation:
        lines += scored(experiment, "val")
        shown += ["val_loss {val_loss:.6g}"]
        shown += [f"val_{name} {{val_{name}:.4f}}" for name in metrics(experiment)]
    text = f'f"epoch {{epoch}}: {", ".join(shown)}"'
    printed = f"print({text})"
    if len(printed) + 8 > 88:
        # A formatter would not split a long string, so it is split here.
        head, tail = text.rsplit(", ", 1)
        lines += ["print(", f'    {head}, "', f'    f"{tail}', ")"]
    else:
        lines.append(printed)
    return lines


def _plateau(experiment: ScriptInput) -> list[str]:
    schedule = experiment.config.schedule
    if not waits_for_results(schedule.name) or rates.moves(experiment):
        return []
    arguments = ["optimizer", *(f'{name}="{schedule[name]}"' for name in ("mode", "threshold_mode"))]
    told = {**schedule.parameters, **epochs_as_in_pytorch(schedule.parameters)}
    arguments += [
        f"{torchs}={number(told[ours])}"
        for torchs, ours in (
            ("factor", "factor"),
            ("patience", "patience"),
            ("threshold", "threshold"),
            ("cooldown", "cooldown"),
            ("min_lr", "min_rate"),
        )
    ]
    return [call(f"scheduler = {PLATEAU}", [*arguments, "eps=0.0"], level=1)]

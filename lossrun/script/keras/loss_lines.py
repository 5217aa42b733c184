"""The losses written out in keras.ops: lines that end in `losses`, one for each sample (N,) or each output (N, K).

The lines use the names `outputs` and `targets`; targets of exclusive classes are indices.
"""

from lossrun.script.lines.text import call, comment, literal, number
from lossrun.script.lines.weights import Options, above_zero, balanced_labels, smoothed_labels


def weighted_within(o: Options) -> bool:
    smoothed_binary = o.name == "binary_cross_entropy" and o.columns == 1 and bool(o.smoothing)
    return o.weights is not None and (smoothed_binary or (o.name == "cross_entropy" and bool(o.smoothing)))


def _log_p(o: Options) -> list[str]:
    match o.form:
        case "logits":
            return ["log_p = ops.log_softmax(outputs)"]
        case "probabilities":
            return [
                "p = outputs / ops.sum(outputs, axis=-1, keepdims=True)",
                "log_p = ops.log(ops.clip(p, 1e-7, 1 - 1e-7))",
            ]
        case _:
            return ["log_p = outputs"]


def _rows(o: Options) -> list[str]:
    return [f"rows = ops.one_hot(targets, {o.columns})"]


def _right(o: Options) -> list[str]:
    """Return the lines for `log_p`, (N,), of the right class."""
    return [*_log_p(o), *_rows(o), "log_p = ops.sum(rows * log_p, axis=-1)"]


def _binary_logarithms(o: Options) -> list[str]:
    match o.form:
        case "logits":
            return ["log_yes, log_no = ops.log_sigmoid(outputs), ops.log_sigmoid(-outputs)"]
        case "probabilities":
            return ["p = ops.clip(outputs, 1e-7, 1 - 1e-7)", "log_yes, log_no = ops.log(p), ops.log1p(-p)"]
        case _:
            return [
                "log_yes = ops.maximum(outputs, -100.0)",
                "log_no = ops.log(ops.maximum(-ops.expm1(outputs), 1e-7))",
            ]


def mse(_: Options) -> list[str]:
    return ["losses = (outputs - targets) ** 2"]


def mae(_: Options) -> list[str]:
    return ["losses = ops.abs(outputs - targets)"]


def huber(o: Options) -> list[str]:
    delta = number(o["delta"])
    return [
        "errors = ops.abs(outputs - targets)",
        f"near, far = errors**2 / 2, {delta} * (errors - {number(o['delta'] / 2)})",
        f"losses = ops.where(errors <= {delta}, near, far)",
    ]


def smooth_l1(o: Options) -> list[str]:
    beta = o["beta"]
    if beta == 0:
        return mae(o)
    return [
        "errors = ops.abs(outputs - targets)",
        f"near, far = errors**2 / {number(2 * beta)}, errors - {number(beta / 2)}",
        f"losses = ops.where(errors < {number(beta)}, near, far)",
    ]


def log_cosh(_: Options) -> list[str]:
    return [
        "errors = ops.abs(outputs - targets)",
        "losses = errors + ops.softplus(-2 * errors) - np.log(2)  # log(cosh(e)), stable",
    ]


def quantile(o: Options) -> list[str]:
    q = o["quantile"]
    return [
        "lacking = targets - outputs",
        f"losses = ops.maximum({number(q)} * lacking, {number(q - 1)} * lacking)",
    ]


def mape(o: Options) -> list[str]:
    return [
        f"sizes = ops.maximum(ops.abs(targets), {number(o['eps'])})",
        "losses = 100 * ops.abs((outputs - targets) / sizes)",
    ]


def msle(_: Options) -> list[str]:
    return [
        "logarithms = ops.log1p(ops.maximum(outputs, 1e-7))",
        "losses = (logarithms - ops.log1p(ops.maximum(targets, 1e-7))) ** 2",
    ]


def poisson_nll(o: Options) -> list[str]:
    eps = number(o["eps"])
    if o["log_input"]:
        lines = comment("outputs are logarithms of the mean, as in PyTorch; Keras' Poisson takes the mean.", 0)
        lines += ["losses = ops.exp(outputs) - targets * outputs"]
    else:
        lines = [f"losses = outputs - targets * ops.log(outputs + {eps})"]
    if o["full"]:
        lines += [
            "many = ops.maximum(targets, 1.0)",
            "stirling = many * ops.log(many) - many + ops.log(2 * np.pi * many) / 2",
            "losses = losses + ops.where(targets > 1, stirling, 0.0)",
        ]
    return lines


def gaussian_nll(o: Options) -> list[str]:
    lines = [
        "mean, given = ops.split(outputs, 2, axis=-1)",
        f"log_variance = ops.stop_gradient(ops.maximum(given, np.log({number(o['eps'])})))",
        *comment("The gradient is that of what was given, so that the variance can grow again.", 0),
        "log_variance = log_variance + (given - ops.stop_gradient(given))",
        "losses = (log_variance + (mean - targets) ** 2 * ops.exp(-log_variance)) / 2",
    ]
    return [*lines, "losses = losses + np.log(2 * np.pi) / 2"] if o["full"] else lines


def cosine_similarity(_: Options) -> list[str]:
    return ["losses = keras.losses.cosine_similarity(targets, outputs)"]


def binary_cross_entropy(o: Options) -> list[str]:
    lines = [*smoothed_labels(o), *_binary_logarithms(o)]
    yes = "targets * log_yes"
    if (pos := o["pos_weight"]) is not None:
        if isinstance(pos, list):
            lines.append(f'pos_weight = ops.convert_to_tensor({literal(pos)}, "float32")')
            yes = f"pos_weight * {yes}"
        else:
            yes = f"{number(pos)} * {yes}"
    if weighted_within(o):
        lines += [f"yes, no = -{yes}, -(1 - targets) * log_no"]
        return [*lines, "losses = CLASS_WEIGHTS[0] * no + CLASS_WEIGHTS[1] * yes"]
    return [*lines, f"losses = -({yes} + (1 - targets) * log_no)"]


def binary_focal(o: Options) -> list[str]:
    yes, no = ("outputs", "(1 - outputs)") if o.form == "probabilities" else ("ops.exp(log_yes)", "ops.exp(log_no)")
    lines = [
        *comment("Computed from logarithms: Keras' own clips probabilities, which loses digits of logits.", 0),
        *smoothed_labels(o),
        *_binary_logarithms(o),
        f"miss = targets * {no} + (1 - targets) * {yes}",
        *above_zero(o, "ops.maximum(miss, 1e-37)"),
        f"losses = -(miss**{number(o['gamma'])}) * (targets * log_yes + (1 - targets) * log_no)",
    ]
    return [*lines, *balanced_labels(o)]


def hinge(_: Options) -> list[str]:
    return ["losses = ops.relu(1 - (2 * targets - 1) * outputs)"]


def squared_hinge(_: Options) -> list[str]:
    return ["losses = ops.relu(1 - (2 * targets - 1) * outputs) ** 2"]


def cross_entropy(o: Options) -> list[str]:
    if o.smoothing and o.weights is None and o.form != "log_probabilities":
        arguments = [f"ops.one_hot(targets, {o.columns})", "outputs", f"from_logits={o.form == 'logits'}"]
        arguments.append(f"label_smoothing={number(o.smoothing)}")
        lines = [
            *comment("Keras smooths one-hot targets only, so the class indices become such.", 0),
            call("losses = keras.losses.categorical_crossentropy", arguments, level=1),
        ]
    elif o.smoothing:
        s, k = o.smoothing, o.columns
        shares = "shares * ops.convert_to_tensor(CLASS_WEIGHTS)" if o.weights else "shares"
        lines = [
            *comment("Keras smooths one-hot targets only, so the class indices become such.", 0),
            *_log_p(o),
            f"shares = ops.one_hot(targets, {k}) * {number(1 - s)} + {number(s / k)}",
            *([f"shares = {shares}"] if o.weights else []),
            "losses = -ops.sum(shares * log_p, axis=-1)",
        ]
    else:
        lines = [*_right(o), "losses = -log_p"]
    if (ignored := o["ignore_index"]) is not None:
        lines.append(f'losses = losses * ops.cast(targets != {ignored}, "float32")')
    return lines


def focal(o: Options) -> list[str]:
    gamma, alpha = number(o["gamma"]), o["alpha"]
    times = "" if alpha == 1 else f"{number(alpha)} * "
    miss = ["miss = 1 - ops.exp(log_p)", *above_zero(o, "ops.maximum(miss, 1e-37)")]
    if o.smoothing:
        s, k = o.smoothing, o.columns
        return [
            *_log_p(o),
            f"shares = ops.one_hot(targets, {k}) * {number(1 - s)} + {number(s / k)}",
            *miss,
            f"terms = shares * miss**{gamma} * log_p",
            f"losses = -{times}ops.sum(terms, axis=-1)",
        ]
    power = f"-{times}miss**{gamma}" if times else f"-(miss**{gamma})"
    return [*_right(o), *miss, f"losses = {power} * log_p"]


def multi_margin(o: Options) -> list[str]:
    power = "" if o["p"] == 1 else f" ** {o['p']}"
    return [
        *_rows(o),
        "right = ops.sum(rows * outputs, axis=-1, keepdims=True)",
        f"shortfalls = ops.relu({number(o['margin'])} - right + outputs){power}",
        "losses = ops.mean((1 - rows) * shortfalls, axis=-1)",
    ]


def categorical_hinge(o: Options) -> list[str]:
    return [*_rows(o), "losses = keras.losses.categorical_hinge(rows, outputs)"]


def kl_divergence(o: Options) -> list[str]:
    note = comment("On a single right class the divergence is the cross-entropy.", 0)
    if o.form == "probabilities":
        return [*note, *_rows(o), "p = ops.sum(rows * outputs, axis=-1)", "losses = -ops.log(ops.clip(p, 1e-7, 1))"]
    return [*note, *_right(o), "losses = -log_p"]


def generalized_cross_entropy(o: Options) -> list[str]:
    q = number(o["q"])
    if o.form == "probabilities":
        line, curve = f"1 - p * 1e-7 ** ({q} - 1)", f"1 - ops.maximum(p, 1e-7) ** {q}"  # the slope of p**q has no bound
        summed = "p = ops.sum(rows * outputs, axis=-1)"
        losses = f"losses = ops.where(p < 1e-7, line, curve) / {q}"
        return [*_rows(o), summed, f"line = {line}", f"curve = {curve}", losses]
    return [*_right(o), f"losses = -ops.expm1({q} * log_p) / {q}  # (1 - p**q) / q"]


def symmetric_cross_entropy(o: Options) -> list[str]:
    return [
        *_right(o),
        *comment("The reverse, -sum of p ln t, for one right class; log_zero is used as ln 0.", 0),
        f"reverse = {number(-o['log_zero'])} * (1 - ops.exp(log_p))",
        f"losses = -{number(o['alpha'])} * log_p + {number(o['beta'])} * reverse",
    ]


def multilabel_soft_margin(o: Options) -> list[str]:
    return [*_binary_logarithms(o), "losses = -(targets * log_yes + (1 - targets) * log_no)"]


def _probabilities(o: Options) -> list[str]:
    form = {"logits": "ops.sigmoid(outputs)", "probabilities": "outputs"}.get(o.form, "ops.exp(outputs)")
    return [f"p = {form}"]


def dice(o: Options) -> list[str]:
    eps = number(o["eps"])
    return [
        *comment("For each sample; Keras' Dice sums over the whole batch.", 0),
        *_probabilities(o),
        "overlap = 2 * ops.sum(targets * p, axis=-1)",
        "sizes = ops.sum(targets, axis=-1) + ops.sum(p, axis=-1)",
        f"losses = 1 - (overlap + {eps}) / (sizes + {eps})",
    ]


def tversky(o: Options) -> list[str]:
    eps = number(o["eps"])
    return [
        *comment("For each sample; Keras' Tversky sums over the whole batch.", 0),
        *_probabilities(o),
        "hits = ops.sum(targets * p, axis=-1)",
        f"missed = {number(o['alpha'])} * ops.sum(targets * (1 - p), axis=-1)",
        f"false_alarms = {number(o['beta'])} * ops.sum((1 - targets) * p, axis=-1)",
        f"losses = 1 - (hits + {eps}) / (hits + missed + false_alarms + {eps})",
    ]

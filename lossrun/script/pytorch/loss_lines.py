"""The losses written out in PyTorch: lines that end in `losses`, one for each sample (N,) or each output (N, K).

The lines use the names `outputs` and `targets`; targets of exclusive classes are indices.
"""

from lossrun.script.lines.text import call, comment, literal, number
from lossrun.script.lines.weights import Options, above_zero, balanced_labels, smoothed_labels


def weighted_within(o: Options) -> bool:
    smoothed_binary = o.name == "binary_cross_entropy" and o.columns == 1 and bool(o.smoothing)
    return o.weights is not None and (smoothed_binary or o.name == "cross_entropy")


def _log_p(o: Options) -> list[str]:
    """Return the lines for `log_p`, (N, K), of exclusive classes."""
    match o.form:
        case "logits":
            return ["log_p = F.log_softmax(outputs, dim=1)"]
        case "probabilities":
            return [
                "p = outputs / outputs.sum(dim=1, keepdim=True)",
                "log_p = p.clamp(1e-7, 1 - 1e-7).log()  # clipped as Keras does",
            ]
        case _:
            return ["log_p = outputs"]


def _right(name: str = "log_p") -> str:
    return f"{name}.gather(1, targets[:, None])[:, 0]"


def _binary_logarithms(o: Options) -> list[str]:
    match o.form:
        case "logits":
            return ["log_yes, log_no = F.logsigmoid(outputs), F.logsigmoid(-outputs)"]
        case "probabilities":
            return [
                "p = outputs.clamp(1e-7, 1 - 1e-7)  # clipped as Keras does",
                "log_yes, log_no = p.log(), torch.log1p(-p)",
            ]
        case _:
            return [
                "log_yes = outputs.clamp(min=-100)",
                "log_no = (-torch.expm1(outputs)).clamp(min=1e-7).log()",
            ]


def _probabilities(o: Options) -> list[str]:
    return [f"p = {({'logits': 'outputs.sigmoid()', 'probabilities': 'outputs'}).get(o.form, 'outputs.exp()')}"]


def mse(_: Options) -> list[str]:
    return ["losses = (outputs - targets) ** 2"]


def mae(_: Options) -> list[str]:
    return ["losses = (outputs - targets).abs()"]


def huber(o: Options) -> list[str]:
    return _each("huber_loss", f"delta={number(o['delta'])}")


def smooth_l1(o: Options) -> list[str]:
    return _each("smooth_l1_loss", f"beta={number(o['beta'])}")


def poisson_nll(o: Options) -> list[str]:
    values = (f"log_input={o['log_input']}", f"full={o['full']}", f"eps={number(o['eps'])}")
    return _each("poisson_nll_loss", *values)


def _each(function: str, *options: str) -> list[str]:
    """Return the lines that call PyTorch's own function, for the loss of each output."""
    return call(f"losses = F.{function}", ["outputs", "targets", *options, 'reduction="none"'], level=1).splitlines()


def log_cosh(_: Options) -> list[str]:
    return [
        "errors = (outputs - targets).abs()",
        "losses = errors + F.softplus(-2 * errors) - math.log(2)  # log(cosh(e)), stable",
    ]


def quantile(o: Options) -> list[str]:
    q = o["quantile"]
    return [
        "lacking = targets - outputs",
        f"losses = torch.maximum({number(q)} * lacking, {number(q - 1)} * lacking)",
    ]


def mape(o: Options) -> list[str]:
    return [f"losses = 100 * ((outputs - targets) / targets.abs().clamp(min={number(o['eps'])})).abs()"]


def msle(_: Options) -> list[str]:
    return [
        "logarithms = torch.log1p(outputs.clamp(min=1e-7))  # at least 1e-7, as Keras",
        "losses = (logarithms - torch.log1p(targets.clamp(min=1e-7))) ** 2",
    ]


def gaussian_nll(o: Options) -> list[str]:
    lines = [
        "mean, given = outputs.chunk(2, dim=1)",
        f"log_variance = given.clamp(min=math.log({number(o['eps'])}))",
        *comment("The gradient is that of what was given, so that the variance can grow again.", 0),
        "log_variance = log_variance.detach() + (given - given.detach())",
        "losses = (log_variance + (mean - targets) ** 2 * (-log_variance).exp()) / 2",
    ]
    return [*lines, "losses = losses + math.log(2 * math.pi) / 2"] if o["full"] else lines


def cosine_similarity(_: Options) -> list[str]:
    return ["losses = -F.cosine_similarity(outputs, targets)"]


def binary_cross_entropy(o: Options) -> list[str]:
    pos = o["pos_weight"]
    smoothed = smoothed_labels(o)
    if o.form == "logits" and not weighted_within(o):
        arguments = ["outputs", "targets", 'reduction="none"']
        lines = []
        if pos is not None:
            lines = [f"pos_weight = torch.tensor({literal(pos)}, device=outputs.device)"]
            arguments.append("pos_weight=pos_weight")
        return [*smoothed, *lines, call("losses = F.binary_cross_entropy_with_logits", arguments, level=1)]
    yes = "targets * log_yes"
    lines = _binary_logarithms(o)
    if pos is not None:
        lines.append(f"pos_weight = torch.tensor({literal(pos)}, device=outputs.device)")
        yes = f"pos_weight * {yes}"
    if weighted_within(o):
        lines += [f"yes, no = -{yes}, -(1 - targets) * log_no"]
        return [*smoothed, *lines, "losses = CLASS_WEIGHTS[0] * no + CLASS_WEIGHTS[1] * yes"]
    return [*smoothed, *lines, f"losses = -({yes} + (1 - targets) * log_no)"]


def binary_focal(o: Options) -> list[str]:
    lines = [*smoothed_labels(o), *_binary_logarithms(o)]
    yes, no = ("outputs", "(1 - outputs)") if o.form == "probabilities" else ("log_yes.exp()", "log_no.exp()")
    lines += [
        f"miss = targets * {no} + (1 - targets) * {yes}",
        *above_zero(o, "miss.clamp(min=1e-37)"),
        f"losses = -(miss**{number(o['gamma'])}) * (targets * log_yes + (1 - targets) * log_no)",
    ]
    return [*lines, *balanced_labels(o)]


def hinge(_: Options) -> list[str]:
    return ["losses = F.relu(1 - (2 * targets - 1) * outputs)"]


def squared_hinge(_: Options) -> list[str]:
    return ["losses = F.relu(1 - (2 * targets - 1) * outputs) ** 2"]


def cross_entropy(o: Options) -> list[str]:
    ignored = o["ignore_index"]
    keyed = [
        *(["weight=CLASS_WEIGHTS"] if o.weights else []),
        *([f"ignore_index={ignored}"] if ignored is not None else []),
    ]
    if o.form == "logits":
        if o.smoothing:
            keyed.append(f"label_smoothing={number(o.smoothing)}")
        return [call("losses = F.cross_entropy", ["outputs", "targets", *keyed, 'reduction="none"'], level=1)]
    if not o.smoothing:
        return [*_log_p(o), call("losses = F.nll_loss", ["log_p", "targets", *keyed, 'reduction="none"'], level=1)]
    lines = [*_log_p(o), *_smoothed_rows(o)]
    shares = "CLASS_WEIGHTS * shares" if o.weights else "shares"
    lines.append(f"losses = -({shares} * log_p).sum(dim=1)")
    return [*lines, f"losses = losses * (targets != {ignored})"] if ignored is not None else lines


def _smoothed_rows(o: Options) -> list[str]:
    s, k = o.smoothing, o.columns
    return [f"shares = F.one_hot(targets, {k}) * {number(1 - s)} + {number(s / k)}  # smoothed"]


def focal(o: Options) -> list[str]:
    gamma, alpha = number(o["gamma"]), o["alpha"]
    times = "" if alpha == 1 else f"{number(alpha)} * "
    miss = ["miss = 1 - log_p.exp()", *above_zero(o, "miss.clamp(min=1e-37)")]
    if o.smoothing:
        summed = f"losses = -{times}(shares * miss**{gamma} * log_p).sum(dim=1)"
        return [*_log_p(o), *_smoothed_rows(o), *miss, summed]
    power = f"-{times}miss**{gamma}" if times else f"-(miss**{gamma})"
    return [*_log_p(o), f"log_p = {_right()}", *miss, f"losses = {power} * log_p"]


def multi_margin(o: Options) -> list[str]:
    arguments = ["outputs", "targets", f"p={o['p']}", f"margin={number(o['margin'])}", 'reduction="none"']
    return [call("losses = F.multi_margin_loss", arguments, level=1)]


def categorical_hinge(o: Options) -> list[str]:
    return [
        f"rows = F.one_hot(targets, {o.columns})",
        "right, rival = (rows * outputs).sum(dim=1), ((1 - rows) * outputs).amax(dim=1)",
        "losses = F.relu(1 - right + rival)",
    ]


def kl_divergence(o: Options) -> list[str]:
    lines = ["log_p = outputs.clamp(1e-7, 1).log()"] if o.form == "probabilities" else _log_p(o)
    return [
        *lines,
        f"rows = F.one_hot(targets, {o.columns}).to(outputs.dtype)",
        'losses = F.kl_div(log_p, rows, reduction="none").sum(dim=1)',
    ]


def generalized_cross_entropy(o: Options) -> list[str]:
    q = number(o["q"])
    if o.form == "probabilities":
        line, curve = f"1 - p * 1e-7 ** ({q} - 1)", f"1 - p.clamp(min=1e-7) ** {q}"  # the slope of p**q has no bound
        losses = f"losses = torch.where(p < 1e-7, line, curve) / {q}"
        return [f"p = {_right('outputs')}", f"line = {line}", f"curve = {curve}", losses]
    return [*_log_p(o), f"log_p = {_right()}", f"losses = -torch.expm1({q} * log_p) / {q}  # (1 - p**q) / q"]


def symmetric_cross_entropy(o: Options) -> list[str]:
    return [
        *_log_p(o),
        f"log_p = {_right()}",
        *comment("The reverse, -sum of p ln t, for one right class; log_zero is used as ln 0.", 0),
        f"reverse = {number(-o['log_zero'])} * (1 - log_p.exp())",
        f"losses = -{number(o['alpha'])} * log_p + {number(o['beta'])} * reverse",
    ]


def multilabel_soft_margin(_: Options) -> list[str]:
    return [call("losses = F.binary_cross_entropy_with_logits", ["outputs", "targets", 'reduction="none"'], level=1)]


def _overlap(o: Options) -> list[str]:
    return [
        *_probabilities(o),
        "hits = (targets * p).sum(dim=1)",
        "missed = (targets * (1 - p)).sum(dim=1)",
        "false_alarms = ((1 - targets) * p).sum(dim=1)",
    ]


def dice(o: Options) -> list[str]:
    eps = number(o["eps"])
    return [
        *_probabilities(o),
        "overlap = 2 * (targets * p).sum(dim=1)",
        f"losses = 1 - (overlap + {eps}) / (targets.sum(dim=1) + p.sum(dim=1) + {eps})",
    ]


def tversky(o: Options) -> list[str]:
    eps, alpha, beta = (number(o[name]) for name in ("eps", "alpha", "beta"))
    return [
        *_overlap(o),
        f"apart = {alpha} * missed + {beta} * false_alarms",
        f"losses = 1 - (hits + {eps}) / (hits + apart + {eps})",
    ]

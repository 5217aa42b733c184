"""Losses for real-valued targets. `mse` and `mae` also take classes, as one-hot rows."""

from typing import Final

from lossrun.catalog.alias import also, in_keras
from lossrun.catalog.declaration import Loss
from lossrun.catalog.losses.parameters import REDUCTION
from lossrun.catalog.parameter import Parameter

_HUBER: Final = "Huber 1964, Robust Estimation of a Location Parameter, Annals of Mathematical Statistics 35"

REGRESSION_LOSSES: Final[tuple[Loss, ...]] = (
    Loss(
        name="mse",
        meaning="mean squared error: large errors dominate; on classes it is the Brier score divided by the number of "
        "classes",
        formula="mean over K of e^2",
        when="The default for regression. Its best constant prediction is the mean, and it is the right choice for "
        "Gaussian noise. One far outlier outweighs a thousand small errors; if there are outliers, use huber or mae. "
        "On classes it needs a softmax or sigmoid output, and learns slowly where that output is saturated.",
        source="Gauss 1809, Theoria motus; on probabilities Brier 1950, Monthly Weather Review 78",
        parameters=(REDUCTION,),
        aliases=(
            *also("mean_squared_error", "MSELoss", "l2", "l2_loss", "squared_error", "quadratic"),
            *also("quadratic_cost", reduction="half_sample_mean"),
            *also("tf.l2_loss", reduction="half_sum"),
        ),
        accepts=("outputs", "probabilities", "logits"),
        prediction="mean",
        units="targets squared",
        usual_for=("regression",),
        proper=True,
    ),
    Loss(
        name="mae",
        meaning="mean absolute error: predicts the median, robust to outliers",
        formula="mean over K of |e|",
        when="When outliers must not dominate. Its best constant prediction is the median. The gradient has the same "
        "size however small the error, so training ends in a jitter as wide as the learning rate: use a schedule that "
        "lowers the rate. On classes it is robust to wrong labels, but slow to learn.",
        source="Laplace 1774, Memoire sur la probabilite des causes; on classes Ghosh, Kumar and Sastry 2017",
        parameters=(REDUCTION,),
        aliases=also("mean_absolute_error", "L1Loss", "l1", "absolute_error", "absolute_difference"),
        accepts=("outputs", "probabilities", "logits"),
        prediction="mean",
        resists=("outliers", "labels"),
        units="targets",
    ),
    Loss(
        name="huber",
        meaning="quadratic within delta of the target, linear beyond: smooth and robust",
        formula="mean over K of e^2 / 2 where |e| <= delta, else delta (|e| - delta / 2)",
        when="Regression with outliers: it acts like mse near the target and like mae far from it. Set delta to the "
        "size of an ordinary error, in units of the (standardized) target.",
        source=_HUBER,
        parameters=(
            Parameter("delta", float, 1.0, "error at which it turns linear", unit="target units", above=0),
            REDUCTION,
        ),
        aliases=also("HuberLoss", "huber_loss"),
        accepts=("outputs",),
        tasks=("regression",),
        prediction="mean",
        resists=("outliers",),
        units="targets squared",
        scale="unit",
    ),
    Loss(
        name="smooth_l1",
        meaning="huber divided by its threshold: the slope far away is 1, whatever the threshold",
        formula="mean over K of e^2 / (2 beta) where |e| < beta, else |e| - beta / 2",
        when="Like huber, but changing beta leaves the gradient of large errors unchanged, so the learning rate does "
        "not need a new search. With beta 0 it is mae.",
        source="Girshick 2015, Fast R-CNN, equation 3",
        parameters=(
            Parameter("beta", float, 1.0, "error at which it turns linear", unit="target units", at_least=0),
            REDUCTION,
        ),
        aliases=also("SmoothL1Loss", "smooth_l1_loss"),
        accepts=("outputs",),
        tasks=("regression",),
        prediction="mean",
        resists=("outliers",),
        metric=False,  # At beta 1 it is huber at delta 1.
        units="targets",
        scale="unit",
    ),
    Loss(
        name="log_cosh",
        meaning="about e^2 / 2 near the target and |e| - ln 2 far from it, smooth everywhere",
        formula="mean over K of ln cosh e",
        when="Like huber with delta 1, but smooth everywhere. It has no threshold to set, so standardize the targets.",
        source="Green 1990, IEEE Transactions on Medical Imaging 9 (as a penalty on images)",
        parameters=(REDUCTION,),
        aliases=also("logcosh", "LogCosh", "LogCoshLoss"),
        accepts=("outputs",),
        tasks=("regression",),
        prediction="mean",
        resists=("outliers",),
        scale="unit",
    ),
    Loss(
        name="quantile",
        meaning="pinball loss: its best constant prediction is the chosen quantile of the targets",
        formula="mean over K of max(q (t - y), (q - 1) (t - y))",
        when="When a prediction that is too low costs more than one that is too high, or the other way round. Three "
        "runs with quantile 0.1, 0.5 and 0.9 give a prediction band. Quantile 0.5 is half of mae.",
        source="Koenker and Bassett 1978, Regression Quantiles, Econometrica 46",
        parameters=(
            Parameter(
                "quantile",
                float,
                0.5,
                "share of the targets that should be below the output",
                above=0,
                below=1,
                aliases=("q", "tau"),
            ),
            REDUCTION,
        ),
        aliases=also("pinball", "pinball_loss", "PinballLoss", "QuantileLoss", "tilted_loss"),
        accepts=("outputs",),
        tasks=("regression",),
        prediction="mean",
        resists=("outliers",),
        metric=False,  # At a half it is half of mae.
        units="targets",
    ),
    Loss(
        name="mape",
        meaning="mean absolute error in per cent of the target",
        formula="mean over K of 100 |e| / max(|t|, eps)",
        when="When relative errors matter and no target is near 0, where the loss explodes. It favours predictions "
        "that are too low; msle does not.",
        source="Makridakis 1993, Accuracy measures: theoretical and practical concerns",
        parameters=(
            Parameter("eps", float, 1e-7, "least |target| to divide by", unit="target units", above=0),
            REDUCTION,
        ),
        aliases=also("mean_absolute_percentage_error", "MeanAbsolutePercentageError"),
        accepts=("outputs",),
        tasks=("regression",),
        prediction="mean",
        resists=("outliers",),
        divides_by_target=True,
        units="per cent",
        scale="proportion",
    ),
    Loss(
        name="msle",
        meaning="mean squared error of log(1 + value), for targets over several magnitudes",
        formula="mean over K of (ln(1 + y) - ln(1 + t))^2, y and t at least 1e-7",
        when="Prices, counts and other targets of at least 0 where ratios matter more than differences. An output "
        "below 0 has no gradient and stays there: start from a positive bias, or train on the logarithm of the "
        "targets with mse.",
        source="Keras 3, MeanSquaredLogarithmicError",
        parameters=(REDUCTION,),
        aliases=also("mean_squared_logarithmic_error", "MeanSquaredLogarithmicError", "mean_squared_log_error"),
        accepts=("outputs",),
        tasks=("regression",),
        prediction="mean",
        targets_at_least=0,
        scale="logarithm",
    ),
    Loss(
        name="poisson_nll",
        meaning="negative log-likelihood of counts; the output is the logarithm of their mean",
        formula="mean over K of exp(y) - t y (log_input), else y - t ln(y + eps); full adds ln t! by Stirling",
        when="Counts per interval. The exponential of the output is the expected count, so it is never negative, and "
        "large counts may have larger errors.",
        source="Nelder and Wedderburn 1972, Generalized Linear Models",
        parameters=(
            Parameter("log_input", bool, True, "outputs are logarithms of the mean; false: the mean itself"),
            Parameter("full", bool, False, "add Stirling's approximation of ln t!, which does not change the gradient"),
            Parameter("eps", float, 1e-8, "added to the output before its logarithm (log_input: false)", above=0),
            REDUCTION,
        ),
        aliases=(
            *also("PoissonNLLLoss", "log_poisson", "log_poisson_loss"),
            *in_keras("poisson", log_input=False, eps=1e-7),
        ),
        accepts=("outputs",),
        tasks=("regression",),
        prediction="log_mean",
        values="any number: its lowest value, t - t ln t with log_input, is not 0",
        targets_at_least=0,
        units="nats",
        scale="counts",
    ),
    Loss(
        name="gaussian_nll",
        meaning="negative log-likelihood of a Gaussian; the model gives its mean and its variance",
        formula="mean over K of (ln v + e^2 / v) / 2 with v = max(exp(s), eps); outputs are K means, then K of "
        "s = ln v; full adds ln(2 pi) / 2",
        when="When the model should also say how uncertain each prediction is. It may fit the variance before the "
        "mean: standardize the targets and keep the learning rate low.",
        source="Nix and Weigend 1994, Estimating the mean and variance of the target probability distribution",
        parameters=(
            Parameter("full", bool, False, "add the constant ln(2 pi) / 2"),
            Parameter("eps", float, 1e-6, "least variance", unit="target units squared", above=0),
            REDUCTION,
        ),
        aliases=also(
            "GaussianNLLLoss",
            remark="PyTorch takes the variance as a third argument; here the model gives its logarithm, after the mean",
        ),
        accepts=("outputs",),
        tasks=("regression",),
        outputs_per_target=2,
        prediction="mean_and_log_variance",
        values="any number: below 0 if the model is certain and right",
        units="nats",
    ),
    Loss(
        name="cosine_similarity",
        meaning="minus the cosine of the angle between output and target, as in Keras: only the direction counts",
        formula="-(t . y) / (|t| |y|)",
        when="Targets that are vectors whose length does not matter, such as embeddings. With a single target it sees "
        "only the sign.",
        source="Keras 3, CosineSimilarity",
        parameters=(REDUCTION,),
        aliases=(
            *also("CosineSimilarity", "cosine", "cosine_proximity", "cosine_loss"),
            *also(
                "torch.cosine_similarity", remark="PyTorch's is the cosine itself, which training would have to raise"
            ),
            *also(
                "cosine_distance",
                called={"offset": 1.0},
                remark="TensorFlow's takes vectors of length 1 and adds a constant 1 (lossrun.loss adds it too)",
            ),
        ),
        accepts=("outputs",),
        averages_outputs=False,
        tasks=("regression",),
        prediction="mean",
        values="-1 (same direction) to 1 (opposite)",
        resists=("outliers",),
        least_targets=2,
        scale="direction",
    ),
)

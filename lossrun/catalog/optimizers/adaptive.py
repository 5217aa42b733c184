"""The optimizers with a step size for each weight, set by the gradients that it has had."""

from typing import Final

from lossrun.catalog.alias import also, in_keras
from lossrun.catalog.declaration import Optimizer
from lossrun.catalog.optimizers.parameters import (
    AMSGRAD,
    BETAS,
    DECOUPLED,
    MOMENTUM,
    TWO_BETAS,
    WEIGHT_DECAY,
    crossed_step_sizes,
    decay_of_weights,
    eps,
)
from lossrun.catalog.parameter import Parameter

UNDER_THE_ROOT: Final = "Keras adds epsilon under the root, where it holds back small gradients more: sqrt(v + eps)"
FROM_ONE: Final = (
    "TensorFlow starts the mean square at 1, so its first steps are smaller, and adds epsilon under the root"
)

ADAPTIVE: Final[tuple[Optimizer, ...]] = (
    Optimizer(
        name="adam",
        meaning="per-weight step sizes from running means of the gradient and its square",
        formula="w - rate m / (sqrt(v) + eps), m and v the bias-corrected running means of g and g^2",
        when="A good first choice: it works over several orders of magnitude of the learning rate. Start with 1e-3. "
        "For weight decay use adamw, or set decoupled_weight_decay.",
        source="Kingma and Ba 2015, Adam: A Method for Stochastic Optimization; amsgrad: Reddi, Kale and Kumar 2018",
        parameters=(BETAS, eps(1e-8), WEIGHT_DECAY, AMSGRAD, DECOUPLED),
        aliases=(
            *also("keras.Adam", eps=1e-7, decoupled_weight_decay=True),
            *also("AdamOptimizer", "tf.AdamOptimizer", eps=1e-8),
        ),
        torch_class="Adam",
        fused_on=("cpu", "cuda"),
        capturable=True,
        elementwise=True,
        linear_in_rate=True,
        usual_rates=(1e-5, 3e-2),
        bounded_steps=True,
        keeps=2,
        keeps_for=("amsgrad",),
        decoupled="adamw",
        contradiction=TWO_BETAS,
    ),
    Optimizer(
        name="adamw",
        meaning="Adam with weight decay applied to the weights instead of the gradient",
        formula="w - rate weight_decay w - rate m / (sqrt(v) + eps), m and v as in adam",
        when="Like adam, with weight decay. Every weight decays at the same rate, however large its gradients.",
        source="Loshchilov and Hutter 2019, Decoupled Weight Decay Regularization",
        parameters=(BETAS, eps(1e-8), decay_of_weights(1e-2), AMSGRAD),
        aliases=also("keras.AdamW", eps=1e-7, weight_decay=4e-3),
        torch_class="AdamW",
        fused_on=("cpu", "cuda"),
        capturable=True,
        elementwise=True,
        linear_in_rate=True,
        usual_rates=(1e-5, 3e-2),
        bounded_steps=True,
        keeps=2,
        keeps_for=("amsgrad",),
        contradiction=TWO_BETAS,
    ),
    Optimizer(
        name="rmsprop",
        meaning="gradient divided by the root of its running mean square",
        formula="w - rate g / (sqrt(v) + eps), v = alpha v + (1 - alpha) g^2",
        when="Gradients whose size changes during training, recurrent networks, reinforcement learning. v starts at 0 "
        "and is not corrected, so the first steps are up to 1 / sqrt(1 - alpha) times as large: use a warm-up, or "
        "adam.",
        source="Tieleman and Hinton 2012, lecture 6.5 of Neural Networks for Machine Learning; centered: Graves 2013",
        parameters=(
            Parameter("alpha", float, 0.99, "decay of the mean square", at_least=0, below=1, aliases=("rho",)),
            eps(1e-8),
            MOMENTUM,
            Parameter("centered", bool, False, "divide by the variance instead of the mean square"),
            WEIGHT_DECAY,
        ),
        aliases=(
            *also("keras.RMSprop", alpha=0.9, eps=1e-7, remark=UNDER_THE_ROOT),
            *also("RMSPropOptimizer", "tf.RMSPropOptimizer", alpha=0.9, eps=1e-10, remark=FROM_ONE),
        ),
        torch_class="RMSprop",
        capturable=True,
        elementwise=True,
        linear_in_rate=True,
        usual_rates=(1e-5, 3e-2),
        bounded_steps=True,
        keeps=1,
        keeps_for=("momentum", "centered"),
    ),
    Optimizer(
        name="adagrad",
        meaning="gradient divided by the root of the sum of all its squares: the step size only falls",
        formula="w - rate g / (sqrt(s) + eps), s = s + g^2",
        when="Sparse inputs, where rare features should keep large steps, and convex problems. In long runs the steps "
        "become too small; then use rmsprop or adam.",
        source="Duchi, Hazan and Singer 2011, Adaptive Subgradient Methods, Journal of Machine Learning Research 12",
        parameters=(
            Parameter("lr_decay", float, 0.0, "decay of the rate per step", unit="1/step", at_least=0),
            Parameter("initial_accumulator_value", float, 0.0, "the sum of squares at the start", at_least=0),
            eps(1e-10),
            WEIGHT_DECAY,
        ),
        aliases=(
            *also("keras.Adagrad", initial_accumulator_value=0.1, eps=1e-7, remark=UNDER_THE_ROOT),
            *also("AdagradOptimizer", "tf.AdagradOptimizer", initial_accumulator_value=0.1),
        ),
        torch_class="Adagrad",
        fused_on=("cpu", "cuda"),
        elementwise=True,
        linear_in_rate=True,
        usual_rates=(1e-4, 1.0),
        bounded_steps=True,
        keeps=1,
    ),
    Optimizer(
        name="adadelta",
        meaning="updates as large as recent updates, in the units of the weights; a learning rate of 1 is usual",
        formula="w - rate d, d = g sqrt(u + eps) / sqrt(v + eps), u and v running means of d^2 and g^2",
        when="When no learning rate should be tuned: leave it at 1. The first steps are only as large as the root of "
        "eps, so it starts slowly; with Keras' default rate of 0.001 it is a thousand times slower.",
        source="Zeiler 2012, ADADELTA: An Adaptive Learning Rate Method",
        parameters=(
            Parameter("rho", float, 0.9, "decay of the two running mean squares", at_least=0, below=1),
            Parameter(
                "eps",
                float,
                1e-6,
                "added under both roots; sets the size of the first steps",
                above=0,
                aliases=("epsilon",),
            ),
            WEIGHT_DECAY,
        ),
        aliases=(
            *also("keras.Adadelta", rho=0.95, eps=1e-7),
            *also("AdadeltaOptimizer", "tf.AdadeltaOptimizer", rho=0.95, eps=1e-8),
        ),
        torch_class="Adadelta",
        capturable=True,
        elementwise=True,
        linear_in_rate=True,
        # Keras' default of 0.001 is the classic way to see nothing happen.
        usual_rates=(0.05, 10.0),
        keeps=2,
    ),
    Optimizer(
        name="adamax",
        meaning="Adam that divides by the largest recent gradient instead of the root of the mean square",
        formula="w - rate m / ((1 - beta1^step) u), m the running mean of g, u = max(beta2 u, |g| + eps)",
        when="Like adam, when single gradients are very large. It tolerates about twice the rate of adam.",
        source="Kingma and Ba 2015, Adam, section 7",
        parameters=(BETAS, eps(1e-8), WEIGHT_DECAY),
        aliases=also("keras.Adamax", eps=1e-7),
        torch_class="Adamax",
        capturable=True,
        elementwise=True,
        usual_rates=(1e-5, 5e-2),
        bounded_steps=True,
        keeps=2,
        contradiction=TWO_BETAS,
    ),
    Optimizer(
        name="nadam",
        meaning="Adam with Nesterov momentum that grows over the first steps",
        formula="w - rate ((1 - mu) g + mu' m) / (sqrt(v) + eps), each corrected for its bias; mu' is the next "
        "step's momentum",
        when="Like adam, often a little faster at the start, at the same learning rates.",
        source="Dozat 2016, Incorporating Nesterov Momentum into Adam",
        parameters=(
            BETAS,
            eps(1e-8),
            WEIGHT_DECAY,
            Parameter("momentum_decay", float, 4e-3, "how fast the momentum grows to its full size", at_least=0),
            DECOUPLED,
        ),
        aliases=(
            *also("nesterov_adam"),
            # Keras lets the momentum grow 250 times as fast.
            *in_keras("Nadam", eps=1e-7, momentum_decay=1.0, decoupled_weight_decay=True),
        ),
        torch_class="NAdam",
        capturable=True,
        elementwise=True,
        usual_rates=(1e-5, 3e-2),
        bounded_steps=True,
        keeps=2,
        contradiction=TWO_BETAS,
    ),
    Optimizer(
        name="radam",
        meaning="Adam that uses momentum alone until its mean square is reliable",
        formula="w - rate r m / (sqrt(v) + eps); w - rate m while v rests on too few gradients; r rises towards 1",
        when="Instead of adam with a warm-up. The first steps use momentum alone and are as large as the gradient, so "
        "a summed loss takes larger steps there.",
        source="Liu et al. 2020, On the Variance of the Adaptive Learning Rate and Beyond",
        parameters=(BETAS, eps(1e-8), WEIGHT_DECAY, DECOUPLED),
        aliases=also("rectified_adam"),
        torch_class="RAdam",
        capturable=True,
        elementwise=True,
        usual_rates=(1e-5, 3e-2),
        bounded_steps=True,
        keeps=2,
        contradiction=TWO_BETAS,
    ),
    Optimizer(
        name="rprop",
        meaning="steps by the signs of the gradients alone, for full batches; the learning rate is only the first "
        "step size of each weight",
        formula="w - s sign(g), s = etaplus s where the sign stayed, etaminus s (and no step) where it turned; s = "
        "rate at first",
        when="Small data with batch_size: full, where it is fast and needs hardly any tuning. It does not work with "
        "mini-batches, whose noise flips the signs. The learning rate is only the size of the first step, so a "
        "schedule changes nothing, but a warm-up makes the first steps tiny.",
        source="Riedmiller and Braun 1993, A Direct Adaptive Method for Faster Backpropagation Learning: The RPROP "
        "Algorithm",
        parameters=(
            Parameter("etaminus", float, 0.5, "factor of a step size whose sign changed", above=0, below=1),
            Parameter("etaplus", float, 1.2, "factor of a step size whose sign stayed the same", above=1),
            Parameter("step_size_min", float, 1e-6, "smallest step size", at_least=0),
            Parameter("step_size_max", float, 50.0, "largest step size", above=0),
        ),
        aliases=also("resilient_propagation", "resilient_backpropagation"),
        torch_class="Rprop",
        pairs={"etas": ("etaminus", "etaplus"), "step_sizes": ("step_size_min", "step_size_max")},
        capturable=True,
        elementwise=True,
        usual_rates=(1e-5, 1.0),
        keeps=2,
        full_batch=True,
        contradiction=crossed_step_sizes,
    ),
)

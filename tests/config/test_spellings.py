"""Names from other frameworks, what they imply, and the user's own names."""

from collections.abc import Callable
from typing import Any

import pytest

from lossrun.config import SourcedConfig
from lossrun.errors import ConfigError

Read = Callable[..., SourcedConfig]
Problem = Callable[..., str]


@pytest.mark.parametrize(
    ("spelling", "name", "implied"),
    [
        ("CrossEntropyLoss", "cross_entropy", {"inputs": "logits"}),
        ("torch.nn.CrossEntropyLoss", "cross_entropy", {"inputs": "logits"}),
        ("nn.functional.cross_entropy", "cross_entropy", {"inputs": "logits"}),
        ("F.cross_entropy", "cross_entropy", {"inputs": "logits"}),
        ("F.nll_loss", "cross_entropy", {"inputs": "log_probabilities"}),
        ("NLLLoss", "cross_entropy", {"inputs": "log_probabilities"}),
        ("categorical_crossentropy", "cross_entropy", {"weight_convention": "keras"}),
        ("SparseCategoricalCrossentropy", "cross_entropy", {"weight_convention": "keras"}),
        ("KLDivergence", "kl_divergence", {"weight_convention": "keras"}),
        ("Hinge", "hinge", {"weight_convention": "keras"}),
        ("tf.nn.softmax_cross_entropy_with_logits", "cross_entropy", {"inputs": "logits"}),
        ("tf.losses.sparse_softmax_cross_entropy", "cross_entropy", {"inputs": "logits"}),
        ("tf.keras.losses.CategoricalCrossentropy", "cross_entropy", {"weight_convention": "keras"}),
        ("tf.losses.SparseCategoricalCrossentropy", "cross_entropy", {"weight_convention": "keras"}),
        ("keras.losses.SparseCategoricalCrossentropy", "cross_entropy", {"weight_convention": "keras"}),
        ("BCELoss", "binary_cross_entropy", {"inputs": "probabilities"}),
        ("F.binary_cross_entropy", "binary_cross_entropy", {"inputs": "probabilities"}),
        ("nn.BCEWithLogitsLoss", "binary_cross_entropy", {"inputs": "logits"}),
        ("F.binary_cross_entropy_with_logits", "binary_cross_entropy", {"inputs": "logits"}),
        ("tf.keras.losses.BinaryCrossentropy", "binary_cross_entropy", {"weight_convention": "keras"}),
        ("keras.losses.MeanAbsoluteError", "mae", {}),
        ("MSELoss", "mse", {}),
        ("L1Loss", "mae", {}),
        ("tf.compat.v1.losses.mean_squared_error", "mse", {}),
        ("HUBER-LOSS", "huber", {}),
    ],
)
def test_a_spelling_of_a_loss_means_our_name_and_its_conventions(
    read_text: Read, shortest: str, spelling: str, name: str, implied: dict[str, Any]
) -> None:
    reading = read_text(shortest, f"loss={spelling}")
    plain = read_text(shortest, f"loss={name}").config.loss
    assert reading.config.loss == plain.replace(**implied)
    brought = ", ".join(f"{key}: {value}" for key, value in implied.items())
    assert len(reading.notes) == bool(implied)
    if implied:
        assert reading.notes[0].startswith(f"loss: {spelling} is {name} with {brought}")
        # What called without options takes probabilities, and is given here what the model's output is.
        told = "Crossentropy" in spelling or "crossentropy" in spelling or spelling == "KLDivergence"
        assert ("its inputs follow model.output" in reading.notes[0]) == told


@pytest.mark.parametrize(
    ("name", "told"), [("keras.MeanSquaredError", True), ("MSELoss", False), ("keras.CategoricalHinge", False)]
)
def test_a_sum_of_keras_is_not_ours_where_there_are_several_outputs(
    read_text: Read, shortest: str, name: str, told: bool
) -> None:
    notes = read_text(shortest, f"loss={{name: {name}, reduction: sum}}").notes
    assert any("here it is over samples and outputs" in note for note in notes) == told


# Defaults of the frameworks: PyTorch 2.x, Keras 3, and TensorFlow 1's `tf.train`.
@pytest.mark.parametrize(
    ("spelling", "name", "implied"),
    [
        ("RMSprop", "rmsprop", {}),
        ("torch.optim.RMSprop", "rmsprop", {}),
        ("keras.RMSprop", "rmsprop", {"alpha": 0.9, "eps": 1e-7}),
        ("tf.keras.optimizers.RMSprop", "rmsprop", {"alpha": 0.9, "eps": 1e-7}),
        ("tf.optimizers.RMSprop", "rmsprop", {"alpha": 0.9, "eps": 1e-7}),
        ("RMSPropOptimizer", "rmsprop", {"alpha": 0.9, "eps": 1e-10}),
        ("tf.train.RMSPropOptimizer", "rmsprop", {"alpha": 0.9, "eps": 1e-10}),
        ("tensorflow.compat.v1.train.RMSPropOptimizer", "rmsprop", {"alpha": 0.9, "eps": 1e-10}),
        ("optim.Adam", "adam", {}),
        ("keras.Adam", "adam", {"eps": 1e-7, "decoupled_weight_decay": True}),
        ("tf.train.AdamOptimizer", "adam", {"eps": 1e-8}),
        ("keras.optimizers.AdamW", "adamw", {"eps": 1e-7, "weight_decay": 0.004}),
        ("keras.Adagrad", "adagrad", {"initial_accumulator_value": 0.1, "eps": 1e-7}),
        ("torch.optim.Adagrad", "adagrad", {}),
        ("tf.train.AdagradOptimizer", "adagrad", {"initial_accumulator_value": 0.1}),
        ("tf.train.GradientDescentOptimizer", "sgd", {}),
        ("GradientDescentOptimizer", "sgd", {}),
        ("tf.train.MomentumOptimizer", "sgd", {"momentum": 0.9}),
        ("keras.optimizers.SGD", "sgd", {}),
    ],
)
def test_a_spelling_of_an_optimizer_means_our_name_and_its_defaults(
    read_text: Read, shortest: str, spelling: str, name: str, implied: dict[str, Any]
) -> None:
    reading = read_text(shortest, f"optimizer={spelling}")
    plain = read_text(shortest, f"optimizer={name}").config.optimizer
    assert reading.config.optimizer == plain.replace(**implied)
    assert bool(reading.notes) == bool(implied)


@pytest.mark.parametrize(
    ("optimizer", "told"),
    [
        # Keras 3's BaseOptimizer._apply_weight_decay: w - rate weight_decay w, in every optimizer.
        ("{name: keras.SGD, momentum: 0.9, weight_decay: 0.01}", True),
        ("{name: keras.RMSprop, weight_decay: 0.01}", True),
        ("{name: tf.keras.optimizers.Adagrad, weight_decay: 0.01}", True),
        ("{name: keras.Adadelta, weight_decay: 0.01}", True),
        ("{name: keras.Adamax, weight_decay: 0.01}", True),
        ("{name: keras.SGD, weight_decay: 0.01}", False),
        ("{name: keras.Adam, weight_decay: 0.01}", False),
        ("{name: keras.AdamW, weight_decay: 0.01}", False),
        ("{name: keras.RMSprop}", False),
        ("{name: RMSprop, weight_decay: 0.01}", False),
    ],
)
def test_a_weight_decay_of_keras_is_not_ours_where_it_joins_the_gradient(
    read_text: Read, shortest: str, optimizer: str, told: bool
) -> None:
    notes = read_text(shortest, f"optimizer={optimizer}").notes
    assert any("subtracts the decay from the weights" in note for note in notes) == told


@pytest.mark.parametrize(
    ("spelling", "name", "std"),
    [
        # torch.nn.init's std is 1, Keras' stddev 0.05; tf.random.normal's and tf.truncated_normal's stddev is 1.
        ("normal_", "normal", 1.0),
        ("nn.init.normal_", "normal", 1.0),
        ("trunc_normal_", "truncated_normal", 1.0),
        ("torch.nn.init.trunc_normal_", "truncated_normal", 1.0),
        ("tf.random_normal", "normal", 1.0),
        ("tf.random.normal", "normal", 1.0),
        ("tf.truncated_normal", "truncated_normal", 1.0),
        ("normal", "normal", 0.05),
        ("Normal", "normal", 0.05),
        ("RandomNormal", "normal", 0.05),
        ("TruncatedNormal", "truncated_normal", 0.05),
        ("tf.keras.initializers.RandomNormal", "normal", 0.05),
        ("tf.initializers.TruncatedNormal", "truncated_normal", 0.05),
    ],
)
def test_a_spelling_of_an_initializer_means_our_name_and_its_deviation(
    read_text: Read, shortest: str, spelling: str, name: str, std: float
) -> None:
    init = read_text(shortest, f"model={{name: mlp, init: {spelling}}}").config.model.parameters["init"]
    assert (init["name"], init["std"]) == (name, std)


def test_what_is_given_beats_what_the_spelling_implies(read_text: Read, shortest: str) -> None:
    given = read_text(shortest, "optimizer={name: keras.Adamax, epsilon: 1e-3}")
    assert given.config.optimizer["eps"] == 1e-3
    assert given.notes == ()
    # Null restores the default: the spelling's own.
    null = read_text(shortest, "optimizer={name: keras.Adamax, eps: null}")
    assert null.config == read_text(shortest, "optimizer=keras.Adamax").config


@pytest.mark.parametrize(
    ("loss", "inputs"),
    [
        ("{name: cross_entropy, from_logits: true}", "logits"),
        ("{name: cross_entropy, from_logits: false}", "probabilities"),
        ("{name: cross_entropy, from_logits: null}", "auto"),
        ("{name: cross_entropy, from_logits: true, inputs: logits}", "logits"),
        ("{name: cross_entropy, from_logits: true, inputs: auto}", "logits"),
        ("{name: BCEWithLogitsLoss, from_logits: true}", "logits"),
        ("{name: BCEWithLogitsLoss, inputs: auto}", "logits"),
        ("{name: BCEWithLogitsLoss, inputs: null}", "logits"),
    ],
)
def test_from_logits_is_a_spelling_of_inputs(read_text: Read, shortest: str, loss: str, inputs: str) -> None:
    config = read_text(shortest, f"loss={loss}").config
    assert config.loss["inputs"] == inputs
    assert "from_logits" not in config.loss.parameters


@pytest.mark.parametrize(
    ("loss", "complaint"),
    [
        ("{name: BCEWithLogitsLoss, from_logits: false}", "BCEWithLogitsLoss takes logits, but inputs is proba"),
        ("{name: BCELoss, from_logits: true}", "BCELoss takes probabilities, but inputs is logits; remove one"),
        ("{name: NLLLoss, inputs: logits}", "NLLLoss takes log_probabilities, but inputs is logits"),
        ("{name: cross_entropy, from_logits: true, inputs: probabilities}", "contradicts inputs: probabilities; keep"),
        ("{name: cross_entropy, from_logits: sure}", "loss.from_logits: 'sure'; expected true or false"),
        ("{name: mse, from_logits: true}", "loss.from_logits: there is no such key; expected reduction"),
        ("MeanSquareError", "there is no loss 'MeanSquareError'; did you mean mse?"),
        ("CrossEntropyError", "there is no loss 'CrossEntropyError'; did you mean cross_entropy?"),
        ("tf.keras.losses.CategoricalCrossEntropyy", "did you mean cross_entropy?"),
        ("qqq", "expected one of mse, mae, huber"),
    ],
)
def test_contradictions_and_unknown_names(problem: Problem, loss: str, complaint: str) -> None:
    assert complaint in problem(f"loss: {loss}", replaces="loss")


def test_a_loss_of_ones_own(read_text: Read, shortest: str) -> None:
    loss = read_text(shortest, "loss={name: 'own:f', delta: 2, deep: {list: [1, a]}}").config.loss
    assert loss.is_plugin
    assert loss.parameters == {"delta": 2, "deep": {"list": [1, "a"]}, "inputs": "auto", "reduction": "mean"}


def test_a_dataset_of_ones_own_gets_our_splits(read_text: Read, shortest: str) -> None:
    dataset = read_text(shortest, "dataset={name: 'a.b:f', rows: 3, standardize: true, validation: 2}").config.dataset
    assert dataset["rows"] == 3
    assert dataset["validation"] == 2
    assert dataset["standardize"] == {"inputs": True, "targets": False}
    assert dataset["corrupt"] is None


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("loss: {name: 'own:f', delta: .nan}", "loss.delta: nan is not a finite number"),
        ("loss: {name: 'own:f', deep: [1, {a: .inf}]}", "loss.deep[1].a: inf is not a finite number"),
        ("loss: {name: 'own:f', reduction: men}", "loss.reduction: 'men' is not known; did you mean mean?"),
        ("model: {name: 'own:f', output: sofmax}", "model.output: 'sofmax' is not known; did you mean softmax?"),
        ("dataset: {name: 'own:f', validation: -1}", "dataset.validation: -1 is not allowed"),
        ("schedule: {name: 'own:f'}", "there is no schedule 'own:f'"),
        ("model: {name: mlp, init: {name: 'own:f'}}", "there is no initializer 'own:f'"),
    ],
)
def test_what_is_checked_of_ones_own(problem: Problem, line: str, complaint: str) -> None:
    assert complaint in problem(line, replaces=line.partition(":")[0])


def test_names_of_ones_own_shorten_to_their_attribute(read_text: Read, shortest: str) -> None:
    assert read_text(shortest, "loss=package.module:tilted").config.run_name == "mnist-mlp-tilted-adam"


def test_another_name_of_an_activation_is_read_as_ours(read_text: Read, shortest: str) -> None:
    assert read_text(shortest, "model.activation=swish").config.model["activation"] == "silu"
    for word, ours in (("Linear", "none"), ("Softmax", "softmax"), ("LogSoftmax", "log_softmax")):
        assert read_text(shortest, f"model.output={word}").config.model["output"] == ours


@pytest.mark.parametrize("word", ["relu", "LeakyReLU", "nn.Tanh", "keras.activations.exponential", "tf.nn.relu6"])
def test_why_an_activation_is_not_one_of_the_last_layer_is_said(problem: Problem, word: str) -> None:
    told = problem(f"model: {{name: mlp, output: {word}}}", replaces="model")
    assert f"model.output: '{word}' is not allowed: " in told
    assert "; use none for numbers, sigmoid for two classes, softmax for several classes" in told


@pytest.mark.parametrize(
    ("word", "ours"),
    [("bfloat16", "bf16"), ("bf16-mixed", "bf16"), ("fp32", "float32"), ("'32'", "float32"), ("double", "float64")],
)
def test_precisions_as_keras_and_lightning_call_them(shortest: str, read_text: Read, word: str, ours: str) -> None:
    assert read_text(shortest, f"precision={word}").config.precision == ours


def test_float16_is_refused_with_what_to_use_instead(shortest: str, read_text: Read) -> None:
    with pytest.raises(ConfigError, match="use bf16"):
        read_text(shortest, "precision=float16")

"""No false alarms: what textbooks, tutorials and people who know what they do write draws neither error nor warning."""

from pathlib import Path

import pytest

from lossrun.config import read
from lossrun.data import known_facts
from lossrun.experiment import load_experiment
from lossrun.lint.check import check

MOONS = "dataset: {name: synthetic_classification, kind: moons}"
BLOBS = "dataset: {name: synthetic_classification, kind: blobs, classes: 5, features: 8}"
LABELS = "dataset: {name: synthetic_classification, kind: multilabel, classes: 5}"
LINE = "dataset: {name: synthetic_regression, kind: linear}"
WAVE = "dataset: {name: synthetic_regression, kind: sinusoid, features: 1, standardize: {inputs: true, targets: true}}"
COUNTS = "dataset: {name: inline, inputs: [1, 2, 3, 4, 5, 6], targets: [0, 2, 1, 3, 9, 4], task: regression}"
PRICES = "dataset: {name: inline, inputs: [1, 2, 3, 4, 5], targets: [0.9, 4.5, 20.5, 91.0, 420.5]}"
SHARES = "dataset: {name: inline, inputs: [1, 2, 3, 4], targets: [0.0, 0.25, 0.8, 1.0]}"
VECTORS = "dataset: {name: inline, inputs: [1, 2, 3], targets: [[0.5, -1.5], [2.5, 0.1], [-1.5, 3.0]]}"
RARE = "dataset: {name: inline, inputs: [1, 2, 3, 4, 5], targets: [0, 0, 0, 0, 1], task: binary}"

SENSIBLE = {
    # Michael Nielsen, Neural Networks and Deep Learning: network.py and network2.py.
    "network.py": """
        dataset: mnist
        model:
          name: mlp
          hidden: [30]
          activation: sigmoid
          output: sigmoid
          init: {name: normal, std: 1.0, bias_std: 1.0}
        loss: quadratic_cost
        optimizer: sgd
        learning_rate: 3.0
        epochs: 30
        batch_size: 10
    """,
    "network2.py": """
        dataset: {name: mnist, validation: 10000}
        model: {name: mlp, hidden: [30], activation: sigmoid, output: sigmoid}
        loss: {name: binary_cross_entropy, reduction: sample_mean}
        optimizer: {name: sgd, weight_decay: 1e-4}
        learning_rate: 0.5
        epochs: 30
        batch_size: 10
        early_stopping: {metric: val_accuracy, patience: 10}
    """,
    "nielsen, a single neuron that begins far off": """
        dataset: {name: inline, inputs: [1], targets: [0], task: regression}
        model: {name: linear, output: sigmoid, init: {name: constant, value: 2, bias: 2}}
        loss: quadratic_cost
        optimizer: sgd
        learning_rate: 0.15
        epochs: 300
        batch_size: full
    """,
    # keras.io and TensorFlow's own tutorials.
    "keras, mnist for beginners": """
        dataset: mnist
        model: {name: mlp, hidden: [128], dropout: 0.2}
        loss: {name: SparseCategoricalCrossentropy, from_logits: true}
        optimizer: keras.Adam
        learning_rate: 0.001
        epochs: 5
    """,
    "keras, simple convnet": """
        dataset: mnist
        model: {name: cnn, layers: [conv, max_pool, {name: conv, filters: 64}, max_pool], dropout: 0.5, output: softmax}
        loss: categorical_crossentropy
        optimizer: keras.Adam
        learning_rate: 0.001
        batch_size: 128
        epochs: 15
    """,
    "deep learning with python, chapter 2": """
        dataset: mnist
        model: {name: mlp, hidden: [512], output: softmax}
        loss: sparse_categorical_crossentropy
        optimizer: keras.RMSprop
        learning_rate: 0.001
        batch_size: 128
        epochs: 5
    """,
    "keras, auto mpg: mae and adam": """
        dataset: {name: synthetic_regression, kind: friedman1, standardize: true, validation: 0.2}
        model: {name: mlp, hidden: [64, 64]}
        loss: mean_absolute_error
        optimizer: keras.Adam
        learning_rate: 0.001
        epochs: 100
        early_stopping: {metric: val_loss, patience: 10}
    """,
    "keras, imbalanced data": f"""
        {RARE}
        model: {{name: mlp, hidden: [16], dropout: 0.5, output: sigmoid}}
        loss: {{name: keras.BinaryCrossentropy, class_weights: [0.5, 289.4]}}
        optimizer: keras.Adam
        learning_rate: 1e-3
        batch_size: 2048
        epochs: 100
    """,
    "geron, fashion mnist": """
        dataset: {name: fashion_mnist, validation: 5000}
        model: {name: mlp, hidden: [300, 100], output: softmax}
        loss: sparse_categorical_crossentropy
        optimizer: keras.SGD
        learning_rate: 0.01
        epochs: 30
    """,
    "geron, selu and nesterov": """
        dataset: {name: fashion_mnist, standardize: true}
        model: {name: mlp, hidden: [100, 100, 100], activation: selu, init: he_normal}
        loss: cross_entropy
        optimizer: {name: sgd, momentum: 0.9, nesterov: true}
        learning_rate: 0.01
        schedule: {name: exponential, gamma: 0.1, every: 20, staircase: false}
        epochs: 25
    """,
    # pytorch.org.
    "pytorch quickstart": """
        dataset: fashion_mnist
        model: {name: mlp, hidden: [512, 512]}
        loss: CrossEntropyLoss
        optimizer: SGD
        learning_rate: 1e-3
        batch_size: 64
        epochs: 5
    """,
    "pytorch examples, mnist": """
        dataset: {name: mnist, standardize: true}
        model: {name: cnn, layers: two_conv, dropout: 0.25, output: log_softmax}
        loss: NLLLoss
        optimizer: Adadelta
        learning_rate: 1.0
        schedule: {name: StepLR, step_size: 1, gamma: 0.7}
        batch_size: 64
        epochs: 14
    """,
    "learning pytorch with examples: a sum of squares": """
        dataset: {name: synthetic_regression, kind: polynomial, features: 1, samples: 2000, validation: 0, test: 0}
        model: linear
        loss: {name: MSELoss, reduction: sum}
        optimizer: sgd
        learning_rate: 1e-6
        batch_size: full
        epochs: 2000
    """,
    "a sum whose rate is divided by the batch": f"""
        {BLOBS}
        model: mlp
        loss: {{name: cross_entropy, reduction: sum}}
        optimizer: sgd
        learning_rate: 0.003
        batch_size: 32
    """,
    "a sum under adam, which does not mind": f"""
        {BLOBS}
        model: mlp
        loss: {{name: cross_entropy, reduction: sum}}
        optimizer: adam
        learning_rate: 1e-3
    """,
    "old tensorflow": """
        dataset: mnist
        model: {name: linear}
        loss: softmax_cross_entropy_with_logits
        optimizer: GradientDescentOptimizer
        learning_rate: 0.5
        batch_size: 100
        epochs: 2
    """,
    "old tensorflow, momentum": f"""
        {MOONS}
        model: mlp
        loss: sigmoid_cross_entropy_with_logits
        optimizer: MomentumOptimizer
        learning_rate: 0.05
    """,
    # Papers.
    "resnet: momentum, decay, stairs": """
        dataset: {name: fashion_mnist, standardize: true}
        model: {name: cnn, layers: two_conv, batch_norm: true, init: he_normal}
        loss: cross_entropy
        optimizer: {name: sgd, momentum: 0.9, nesterov: true, weight_decay: 5e-4}
        learning_rate: 0.1
        schedule: {name: multi_step, milestones: [60, 120, 160], gamma: 0.2}
        batch_size: 128
        epochs: 200
    """,
    "cosine with warm-up and smoothing": """
        dataset: fashion_mnist
        model: {name: cnn, layers: two_conv, batch_norm: true}
        loss: {name: cross_entropy, label_smoothing: 0.1}
        optimizer: {name: adamw, weight_decay: 0.05}
        learning_rate: 1e-3
        schedule: {name: cosine, warmup_epochs: 5}
        batch_size: 256
        drop_last: true
        epochs: 100
        best: val_accuracy
    """,
    "super-convergence": """
        dataset: fashion_mnist
        model: {name: cnn, layers: two_conv, batch_norm: true}
        loss: cross_entropy
        optimizer: {name: sgd, momentum: 0.95, weight_decay: 1e-4}
        learning_rate: 0.4
        schedule: one_cycle
        batch_size: 512
        epochs: 20
    """,
    "warm restarts": """
        dataset: kmnist
        model: {name: cnn, layers: lenet5}
        loss: cross_entropy
        optimizer: {name: sgd, momentum: 0.9}
        learning_rate: 0.05
        schedule: {name: cosine_restarts, first_epochs: 10, growth: 2}
        epochs: 70
    """,
    "graph people's adam with a little decay": f"""
        {BLOBS}
        model: {{name: mlp, hidden: [16], dropout: 0.5}}
        loss: cross_entropy
        optimizer: {{name: adam, weight_decay: 5e-4}}
        learning_rate: 0.01
        batch_size: full
        epochs: 200
        early_stopping: {{metric: val_loss, patience: 10}}
    """,
    "robust losses on noisy labels": """
        dataset: {name: synthetic_classification, kind: blobs, corrupt: {label_noise: 0.4}}
        model: mlp
        loss: {name: generalized_cross_entropy, q: 0.7}
        optimizer: {name: sgd, momentum: 0.9, weight_decay: 1e-4}
        learning_rate: 0.01
        epochs: 120
        schedule: {name: multi_step, milestones: [40, 80]}
    """,
    "symmetric cross-entropy as in its paper": f"""
        {BLOBS}
        model: mlp
        loss: {{name: sce, alpha: 0.1, beta: 1.0}}
        optimizer: {{name: sgd, momentum: 0.9}}
        learning_rate: 0.01
    """,
    "focal loss with class weights": f"""
        {BLOBS}
        model: mlp
        loss: {{name: focal, gamma: 2, class_weights: balanced}}
        optimizer: adam
        learning_rate: 1e-3
    """,
    "focal loss on a rare class": f"""
        {RARE}
        model: {{name: mlp, hidden: [8]}}
        loss: sigmoid_focal_loss
        optimizer: adam
        learning_rate: 1e-3
    """,
    "a weight of yes": f"""
        {RARE}
        model: mlp
        loss: {{name: BCEWithLogitsLoss, pos_weight: 4}}
        optimizer: adam
        learning_rate: 1e-3
    """,
    "squares against classes, no activation": f"""
        {BLOBS}
        model: {{name: linear, output: none}}
        loss: mse
        optimizer: sgd
        learning_rate: 0.01
    """,
    "brier score": f"""
        {MOONS}
        model: {{name: mlp, output: sigmoid}}
        loss: mse
        optimizer: adam
        learning_rate: 0.01
    """,
    "support vector machine": f"""
        {MOONS}
        model: linear
        loss: hinge
        optimizer: {{name: sgd, weight_decay: 1e-3}}
        learning_rate: 0.01
    """,
    "margins for several classes": f"""
        {BLOBS}
        model: linear
        loss: {{name: MultiMarginLoss, p: 2}}
        optimizer: {{name: sgd, momentum: 0.9}}
        learning_rate: 0.01
    """,
    "one against the rest": f"""
        {BLOBS}
        model: {{name: mlp, output: sigmoid}}
        loss: binary_crossentropy
        optimizer: adam
        learning_rate: 1e-3
    """,
    "a divergence from log-probabilities": f"""
        {BLOBS}
        model: {{name: mlp, output: log_softmax}}
        loss: KLDivLoss
        optimizer: adam
        learning_rate: 1e-3
    """,
    "several labels": f"""
        {LABELS}
        model: {{name: mlp, output: sigmoid}}
        loss: {{name: bce, class_weights: balanced}}
        optimizer: adagrad
        learning_rate: 0.01
        best: val_macro_f1
        compare_on: macro_f1
    """,
    "overlap of labels": f"""
        {LABELS}
        model: mlp
        loss: {{name: tversky, alpha: 0.7, beta: 0.3}}
        optimizer: adam
        learning_rate: 1e-3
    """,
    "several labels as torch has them": f"""
        {LABELS}
        model: mlp
        loss: MultiLabelSoftMarginLoss
        optimizer: nadam
        learning_rate: 2e-3
    """,
    # Regression.
    "two inputs, large steps": f"""
        {MOONS}
        model: {{name: mlp, hidden: [8], activation: tanh, output: sigmoid}}
        loss: binary_crossentropy
        optimizer: keras.Adam
        learning_rate: 0.05
        epochs: 50
    """,
    "least squares by full descent": f"""
        {LINE}
        model: linear
        loss: {{name: mse, reduction: half_sample_mean}}
        optimizer: sgd
        learning_rate: 0.1
        batch_size: full
        epochs: 200
    """,
    "outliers": """
        dataset: {name: synthetic_regression, corrupt: {outliers: 0.1}}
        model: mlp
        loss: {name: huber, delta: 0.5}
        optimizer: adam
        learning_rate: 1e-3
        schedule: reduce_on_plateau
        epochs: 60
        early_stopping: 20
    """,
    "a median that settles": f"""
        {LINE}
        model: mlp
        loss: L1Loss
        optimizer: rmsprop
        learning_rate: 1e-3
        schedule: {{name: linear, final_fraction: 0.01}}
    """,
    "a quantile": f"""
        {WAVE}
        model: {{name: mlp, hidden: [50, 50], activation: tanh}}
        loss: {{name: pinball, q: 0.9}}
        optimizer: adam
        learning_rate: 5e-3
        epochs: 50
    """,
    "mean and variance": f"""
        {WAVE}
        model: mlp
        loss: gaussian_nll
        optimizer: adam
        learning_rate: 1e-3
        epochs: 100
    """,
    "counts": f"""
        {COUNTS}
        model: linear
        loss: PoissonNLLLoss
        optimizer: adam
        learning_rate: 1e-2
    """,
    "magnitudes": f"""
        {PRICES}
        model: {{name: mlp, init: {{name: he_uniform, bias: 0.1}}}}
        loss: msle
        optimizer: adam
        learning_rate: 1e-2
    """,
    "per cent": f"""
        {PRICES}
        model: mlp
        loss: mape
        optimizer: adam
        learning_rate: 1e-3
    """,
    "shares": f"""
        {SHARES}
        model: {{name: mlp, output: sigmoid}}
        loss: binary_cross_entropy
        optimizer: adam
        learning_rate: 1e-3
    """,
    "directions": f"""
        {VECTORS}
        model: mlp
        loss: cosine_similarity
        optimizer: adam
        learning_rate: 1e-3
    """,
    "logistic regression from zero": f"""
        {MOONS}
        model: {{name: linear, init: {{name: constant, value: 0}}}}
        loss: log_loss
        optimizer: sgd
        learning_rate: 1.0
        batch_size: full
    """,
    "four points and 1000 epochs": """
        dataset: {name: inline, inputs: [1, 2, 3, 4], targets: [3, 5, 7, 9]}
        model: linear
        loss: {name: mse, reduction: sum}
        optimizer: sgd
        learning_rate: 0.01
        epochs: 1000
        batch_size: full
    """,
    "dive into deep learning, linear regression": f"""
        {LINE}
        model: linear
        loss: MSELoss
        optimizer: SGD
        learning_rate: 0.03
        batch_size: 10
        epochs: 3
    """,
    "keras, reviews": f"""
        {MOONS}
        model: {{name: mlp, hidden: [16, 16], output: sigmoid}}
        loss: binary_crossentropy
        optimizer: keras.RMSprop
        learning_rate: 0.001
        batch_size: 512
        epochs: 20
    """,
    "keras, time series": f"""
        {BLOBS}
        model: {{name: mlp, batch_norm: true, output: softmax}}
        loss: sparse_categorical_crossentropy
        optimizer: keras.Adam
        learning_rate: 0.001
        schedule: {{name: ReduceLROnPlateau, factor: 0.5, patience: 20, min_lr: 0.0001}}
        early_stopping: {{metric: val_loss, patience: 50}}
        epochs: 500
    """,
    "sample by sample, with a sum that has one term": f"""
        {MOONS}
        model: linear
        loss: {{name: hinge, reduction: sum}}
        optimizer: sgd
        learning_rate: 0.1
        batch_size: 1
    """,
    "weights of ignored classes are nobody's affair": f"""
        {BLOBS}
        model: mlp
        loss: {{name: cross_entropy, ignore_index: 4, class_weights: balanced}}
        optimizer: adam
        learning_rate: 1e-3
    """,
    # Optimizers by their own customs.
    "rprop on all of the data": f"""
        {LINE}
        model: mlp
        loss: mse
        optimizer: rprop
        learning_rate: 0.01
        batch_size: full
        epochs: 100
    """,
    "muon": """
        dataset: mnist
        model: {name: mlp, hidden: [256, 256]}
        loss: cross_entropy
        optimizer: muon
        learning_rate: 2e-3
    """,
    "adafactor": f"""
        {BLOBS}
        model: mlp
        loss: cross_entropy
        optimizer: adafactor
        learning_rate: 0.01
    """,
    "radam with decay of the weights": f"""
        {BLOBS}
        model: mlp
        loss: cross_entropy
        optimizer: {{name: radam, weight_decay: 0.01, decoupled_weight_decay: true}}
        learning_rate: 1e-3
    """,
    "keras' adam, whose decay is adamw's": f"""
        {BLOBS}
        model: mlp
        loss: cross_entropy
        optimizer: {{name: keras.Adam, weight_decay: 0.01}}
        learning_rate: 1e-3
    """,
    "a trial of one epoch": f"""
        {BLOBS}
        model: mlp
        loss: cross_entropy
        optimizer: {{name: sgd, momentum: 0.99}}
        learning_rate: 0.01
        schedule: {{name: step, every: 30}}
        early_stopping: 10
        epochs: 1
    """,
    "stop, and reduce before that": f"""
        {BLOBS}
        model: {{name: mlp, batch_norm: true}}
        loss: cross_entropy
        optimizer: asgd
        learning_rate: 0.05
        schedule: {{name: reduce_on_plateau, patience: 3, metric: val_accuracy}}
        early_stopping: {{metric: val_accuracy, patience: 10, mode: max}}
        epochs: 100
        drop_last: true
        batch_size: 64
    """,
}


def test_there_are_enough_of_them() -> None:
    assert len(SENSIBLE) >= 40


@pytest.mark.parametrize("title", SENSIBLE)
def test_a_sensible_config_passes_in_silence(title: str, tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(SENSIBLE[title])
    reading = read(path)
    dataset = reading.config.dataset
    if dataset.name in ("mnist", "fashion_mnist", "kmnist"):
        facts = known_facts(dataset.name, dataset.parameters)
        assert facts is not None
        assert check(reading, facts) == []
    else:
        assert load_experiment(reading, tmp_path).warnings == ()

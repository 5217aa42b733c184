"""Names that people know from elsewhere and that are none of ours: why, and what comes nearest."""

from typing import Final

_PAIRS: Final = "it compares samples with each other, where a loss here is of one sample and its target"
NO_LOSSES: Final[dict[str, str]] = {
    **dict.fromkeys(
        (
            "CosineEmbeddingLoss",
            "HingeEmbeddingLoss",
            "MarginRankingLoss",
            "TripletMarginLoss",
            "TripletMarginWithDistanceLoss",
            "Circle",
            "mean_pairwise_squared_error",
            "ContrastiveLoss",
        ),
        f"{_PAIRS}; write it as a loss of your own, `module:attribute`",
    ),
    **dict.fromkeys(("CTC", "CTCLoss", "ctc_loss"), "it is for sequences, and the targets here are of fixed size"),
    **dict.fromkeys(
        (
            "AdaptiveLogSoftmaxWithLoss",
            "LinearCrossEntropyLoss",
            "linear_cross_entropy",
            "nce_loss",
            "sampled_softmax_loss",
        ),
        "it is a last layer and a loss in one; the model's last layer and cross_entropy give the same",
    ),
    **dict.fromkeys(
        ("MultiLabelMarginLoss", "multilabel_margin_loss"),
        "it orders the labels of a sample; multilabel_soft_margin and binary_cross_entropy fit here",
    ),
    **dict.fromkeys(
        ("accuracy", "accuracy_score", "f1_score", "precision", "recall", "auc", "r2_score"),
        "it is a metric: it has no useful gradient, and is computed for every run anyway",
    ),
    **dict.fromkeys(
        ("rmse", "RMSELoss", "root_mean_squared_error"),
        "it is a metric; mse has the same minimum and a smooth gradient",
    ),
}

NO_OPTIMIZERS: Final[dict[str, str]] = {
    "LBFGS": "L-BFGS evaluates the loss several times in a step, which the training loop does not; rprop with "
    "batch_size: full also wants no learning rate tuned",
    "SparseAdam": "SparseAdam is for the sparse gradients of embeddings, which no model here has; use adam",
    "Lion": "torch has no Lion; adamw is nearest, at three to ten times its learning rate",
    "LAMB": "torch has no LAMB; adamw is nearest, and adafactor too goes by the size of the weights",
    "LARS": "torch has no LARS; sgd with momentum is nearest",
    "Ftrl": "torch has no FTRL; adagrad is nearest: without the L1 penalty the two take much the same steps",
    "FtrlOptimizer": "torch has no FTRL; adagrad is nearest: without the L1 penalty the two take much the same steps",
    "ScheduleFreeAdamW": "torch has no schedule-free AdamW; use adamw with schedule: cosine",
    "AdagradDAOptimizer": "torch has no dual averaging; use adagrad",
    "AdaBelief": "torch has no AdaBelief; adam is nearest",
    "AdaBound": "torch has no AdaBound; adam with amsgrad is nearest",
    "Sophia": "torch has no Sophia; adamw is nearest",
    "Shampoo": "torch has no Shampoo; muon is nearest",
    "SOAP": "torch has no SOAP; muon is nearest",
    "LossScaleOptimizer": "scaling the loss is for float16, and none is trained in here; name the one inside: adam",
    "MultiOptimizer": "one optimizer trains all weights here; muon is two in one",
}

NO_SCHEDULES: Final[dict[str, str]] = {
    "LambdaLR": "a rule in Python is not a matter of a config; piecewise_constant takes any stairs",
    "MultiplicativeLR": "a rule in Python is not a matter of a config; exponential has a constant factor",
    "SequentialLR": "one schedule at a time; every one takes warmup_epochs, the usual first of a sequence",
    "ChainedScheduler": "one schedule at a time; every one takes warmup_epochs, the usual companion",
    "SWALR": "weights are not averaged here; linear with over_epochs goes from one rate to another and stays there",
    "LearningRateScheduler": "a rule in Python is not a matter of a config; piecewise_constant takes any stairs",
    "natural_exp_decay": "it is exponential with gamma: exp(-decay_rate) and staircase: false",
    "noam_decay": "not here; linear or cosine with warmup_epochs are nearest",
    "linear_cosine_decay": "not here; cosine is nearest",
}

NONE_OF_OURS: Final = {"loss": NO_LOSSES, "optimizer": NO_OPTIMIZERS, "schedule": NO_SCHEDULES}

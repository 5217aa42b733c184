"""Names that people know from elsewhere and that lossrun does not have, with the reason and the nearest name."""

from typing import Final

_PAIRS: Final = "it compares samples with each other, but a loss here compares one sample with its target"
# Why a metric is not a loss, unless NO_LOSSES says more.
A_METRIC: Final = "it is a metric: it has no useful gradient, and is computed for every run anyway"

NO_LOSSES: Final[dict[str, str]] = {
    **dict.fromkeys(
        (
            "CosineEmbeddingLoss",
            "HingeEmbeddingLoss",
            "MarginRankingLoss",
            "TripletMarginLoss",
            "TripletLoss",
            "TripletMarginWithDistanceLoss",
            "Circle",
            "mean_pairwise_squared_error",
            *(
                "ContrastiveLoss",
                "contrastive",
                "triplet",
                "info_nce",
                "InfoNCELoss",
                "nt_xent",
                "NTXentLoss",
                "arcface",
            ),
            *("siamese", "simclr", "npairs"),
        ),
        f"{_PAIRS}; write it as a loss of your own, `module:attribute`",
    ),
    **dict.fromkeys(
        ("cox", "CoxPHLoss", "cox_ph", "partial_likelihood"),
        "it compares the samples that are still at risk, but a loss here compares one sample with its target; for "
        "times without censoring use msle",
    ),
    **dict.fromkeys(
        ("ordinal", "coral", "corn", "ordinal_regression", "ordinal_cross_entropy", "proportional_odds"),
        "for ranks use mae or huber with dataset.task: regression, or cross_entropy, which ignores their order; or "
        "write it as a loss of your own, `module:attribute`",
    ),
    **dict.fromkeys(
        ("negative_binomial", "NegativeBinomialNLL", "zero_inflated_poisson", "zip", "tweedie", "gamma"),
        "poisson_nll is nearest; or write it as a loss of your own, `module:attribute`",
    ),
    **dict.fromkeys(
        ("vae", "elbo", "VAELoss", "gan", "wasserstein", "reconstruction"),
        "a loss here compares outputs with targets; an autoencoder is trained with mse, and its inputs as targets",
    ),
    **dict.fromkeys(("CTC", "CTCLoss", "ctc_loss"), "it is for sequences, but targets here have a fixed size"),
    **dict.fromkeys(
        (
            "AdaptiveLogSoftmaxWithLoss",
            "LinearCrossEntropyLoss",
            "linear_cross_entropy",
            "nce_loss",
            "sampled_softmax_loss",
        ),
        "it is a last layer and a loss in one; use the model's last layer with cross_entropy",
    ),
    **dict.fromkeys(
        ("MultiLabelMarginLoss", "multilabel_margin_loss"),
        "it ranks the labels of a sample; use binary_cross_entropy or multilabel_soft_margin",
    ),
    **dict.fromkeys(
        ("rmse", "RMSELoss", "root_mean_squared_error", "r2", "R2Score", "brier", "BrierScore", "brier_score_loss"),
        "it is a metric; mse has the same minimum and a smooth gradient",
    ),
    "rmsle": "use msle: it has the same minimum and a smooth gradient",
    **dict.fromkeys(
        ("sse", "rss", "sum_of_squared_errors", "residual_sum_of_squares"), "it is {name: mse, reduction: sum}"
    ),
}

NO_OPTIMIZERS: Final[dict[str, str]] = {
    "LBFGS": "L-BFGS evaluates the loss several times in a step, but the training loop only once; with batch_size: "
    "full, rprop also needs no tuned learning rate",
    "SparseAdam": "SparseAdam is for the sparse gradients of embeddings, which no model here has; use adam",
    "Lion": "torch has no Lion; adamw is nearest, at three to ten times its learning rate",
    "LAMB": "torch has no LAMB; adamw is nearest, and adafactor also scales its steps by the size of the weights",
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
    "LossScaleOptimizer": "it scales the loss for float16, which lossrun does not train in; name the inner one: adam",
    "MultiOptimizer": "one optimizer trains all weights here; muon is two in one",
    **dict.fromkeys(("nesterov", "nag"), "it is {name: sgd, momentum: 0.9, nesterov: true}"),
    **dict.fromkeys(
        ("sgdm", "sgd_momentum", "sgd+momentum", "sgd_with_momentum", "heavy_ball"), "it is {name: sgd, momentum: 0.9}"
    ),
    "amsgrad": "it is {name: adam, amsgrad: true}",
    **dict.fromkeys(("bgd", "batch_gradient_descent"), "it is sgd with batch_size: full"),
    **dict.fromkeys(
        ("BFGS", "newton"),
        "no optimizer here uses second derivatives; rprop with batch_size: full is nearest",
    ),
}

NO_SCHEDULES: Final[dict[str, str]] = {
    "LambdaLR": "a config cannot hold a function; piecewise_constant takes any staircase",
    "MultiplicativeLR": "a config cannot hold a function; exponential has a constant factor",
    "SequentialLR": "a run has one schedule; each takes warmup_epochs, which is usually the first of a sequence",
    "ChainedScheduler": "a run has one schedule; each takes warmup_epochs, which is what is usually chained",
    "SWALR": "weights are not averaged here; linear with over_epochs goes from one rate to another and stays there",
    "LearningRateScheduler": "a config cannot hold a function; piecewise_constant takes any staircase",
    "natural_exp_decay": "it is exponential with gamma: exp(-decay_rate) and staircase: false",
    "noam_decay": "lossrun does not have it; linear or cosine with warmup_epochs are nearest",
    "linear_cosine_decay": "lossrun does not have it; cosine is nearest",
    **{
        name: f"every schedule can begin with a warm-up: {{name: {base}, warmup_epochs: 1}}"
        for name, base in (
            ("warmup", "constant"),
            ("constant_with_warmup", "constant"),
            ("linear_warmup", "constant"),
            ("linear_with_warmup", "linear"),
            ("warmup_cosine", "cosine"),
            ("cosine_warmup", "cosine"),
            ("cosine_with_warmup", "cosine"),
        )
    },
}

_OWN_MODEL: Final = "write it as a model of your own, `module:attribute`"
NO_MODELS: Final[dict[str, str]] = {
    **dict.fromkeys(
        ("resnet", "resnet18", "resnet34", "resnet50", "vgg", "vgg16", "alexnet", "densenet", "unet", "mobilenet"),
        f"cnn is nearest; or {_OWN_MODEL}",
    ),
    **dict.fromkeys(
        ("autoencoder", "ae", "vae", "encoder_decoder", "deep_autoencoder"),
        "it is an mlp with a narrow layer, {name: mlp, hidden: [64, 8, 64]}, and its inputs as targets, "
        "dataset: {name: npz, path: FILE.npz, inputs: x, target: x}",
    ),
    **dict.fromkeys(("siamese", "siamese_network", "two_tower"), _OWN_MODEL),
    **dict.fromkeys(("rnn", "lstm", "gru", "transformer", "vit", "bert"), _OWN_MODEL),
}

_AS_CSV: Final = "{name: csv, path: FILE.csv, target: COLUMN}"
NO_DATASETS: Final[dict[str, str]] = {
    **dict.fromkeys(
        ("iris", "boston", "boston_housing", "california_housing", "california", "housing", "titanic", "adult"),
        f"save it as a csv file and write {_AS_CSV}",
    ),
    **dict.fromkeys(
        ("pandas", "dataframe", "excel", "xls", "xlsx", "parquet", "json"),
        f"save the table as a csv file and write {_AS_CSV}",
    ),
    **dict.fromkeys(
        ("cifar", "cifar10", "cifar100", "svhn", "emnist", "imagenet", "stl10", "celeba", "numpy", "hdf5", "h5"),
        "save its arrays in an npz file and write {name: npz, path: FILE.npz}",
    ),
    **{
        name: f"it is {{name: synthetic_classification, kind: {kind}}}"
        for kind in ("blobs", "moons", "circles", "spirals", "xor")
        for name in (kind, f"make_{kind}", f"two_{kind}", kind.rstrip("s"))
    },
    **{
        name: f"it is {{name: synthetic_regression, kind: {kind}}}"
        for name, kind in (
            ("sine", "sinusoid"),
            ("sin", "sinusoid"),
            ("sinus", "sinusoid"),
            ("sinusoid", "sinusoid"),
            ("friedman1", "friedman1"),
            ("make_friedman1", "friedman1"),
            ("polynomial", "polynomial"),
        )
    },
}

# How to name a file as a dataset, by its ending; {} stands for the file.
FILES: Final[dict[str, str]] = {
    **dict.fromkeys(("csv", "tsv", "txt"), "write a file as {{name: csv, path: {}, target: COLUMN}}"),
    "npz": "write a file as {{name: npz, path: {}}}",
    **dict.fromkeys(
        ("npy", "xls", "xlsx", "parquet", "json", "h5", "hdf5", "pkl", "mat"),
        "save it as a csv or npz file and write {{name: csv, path: FILE.csv, target: COLUMN}}",
    ),
}

NONE_OF_OURS: Final = {
    "loss": NO_LOSSES,
    "optimizer": NO_OPTIMIZERS,
    "schedule": NO_SCHEDULES,
    "model": NO_MODELS,
    "dataset": NO_DATASETS,
}

# Informal names that differ too much from the component's name to be found by their letters.
MEANT: Final[dict[str, dict[str, str]]] = {
    "loss": {
        **dict.fromkeys(
            ("ce", "cce", "scce", "xent", "xe", "cross_ent", "softmax", "softmax_loss", "categorical", "multiclass"),
            "cross_entropy",
        ),
        "perplexity": "cross_entropy",
        **dict.fromkeys(("logistic", "logistic_loss", "binary", "bxent", "sigmoid"), "binary_cross_entropy"),
        **dict.fromkeys(("squared", "least_squares", "ols", "error", "euclidean"), "mse"),
        **dict.fromkeys(("lad", "absolute", "manhattan"), "mae"),
        **dict.fromkeys(("svm", "max_margin"), "hinge"),
    },
    "optimizer": {"rms": "rmsprop", "fused_adam": "adam", "adam8bit": "adam"},
    "schedule": {"cos": "cosine", "exp": "exponential", "plateau": "reduce_on_plateau"},
    "model": {
        **dict.fromkeys(
            ("fc", "fcn", "fcnn", "dnn", "ann", "nn", "ffn", "ffnn", "fully_connected", "neural_network", "sequential"),
            "mlp",
        ),
        **dict.fromkeys(("mlp_classifier", "mlp_regressor"), "mlp"),
        **dict.fromkeys(("logistic", "logreg", "linreg", "lr", "softmax"), "linear"),
        **dict.fromkeys(("conv", "conv2d", "conv_net_2d"), "cnn"),
    },
    "dataset": {"file": "csv", "table": "csv", "npy": "npz"},
}

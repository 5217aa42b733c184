"""Names of keys in other programs: Keras, PyTorch, TensorFlow, Lightning and scikit-learn.

Every argument of a class in Keras or PyTorch whose name is a spelling of a component here is either a parameter of the
component or has an entry here, because a name that is near in letters may be far in meaning: `decay` in old Keras lets
the learning rate fall, and is not `weight_decay`.
"""

from typing import Final

from lossrun.shell import command

_IN_EPOCHS: Final = "lengths are in epochs here, not in steps, and may be fractions of one: "
_A_SHARE: Final = "a rate is written as a fraction of learning_rate: "
_NO_RESULT: Final = "it changes how steps are computed, not their results; remove it"
_NO_AVERAGE: Final = (
    "no average of the weights is kept; a schedule that ends near 0, such as cosine, has a similar effect"
)
_ONE_MOMENTUM: Final = "a schedule moves the learning rate only; the optimizer's momentum stays the same"
_NO_FUNCTION: Final = "a config cannot hold a function; mode has triangular2 and exp_range"
_WHOLE_RUN: Final = "one_cycle always takes the whole run; remove it"
_ONE_AXIS: Final = "the outputs of a sample are a single axis; remove it"

# Names of keys in other programs, by path, and the key that they mean here.
HABITS: Final[dict[str, str]] = {
    "lr": "learning_rate",
    "optimizer.lr": "learning_rate",
    "optimizer.learning_rate": "learning_rate",
    "rate": "learning_rate",
    "max_epochs": "epochs",
    "num_epochs": "epochs",
    "n_epochs": "epochs",
    **dict.fromkeys(("batch", "bs", "minibatch_size"), "batch_size"),
    "data": "dataset",
    "validation_split": "dataset.validation",
    "criterion": "loss",
    **dict.fromkeys(("network", "net", "architecture"), "model"),
    "loss_fn": "loss",
    "objective": "loss",
    "class_weight": "loss.class_weights",
    "loss.class_weight": "loss.class_weights",
    "loss.weight": "loss.class_weights",
    "from_logits": "loss.from_logits",
    "label_smoothing": "loss.label_smoothing",
    "monitor": "early_stopping.metric",
    "early_stopping.monitor": "early_stopping.metric",
    "patience": "early_stopping.patience",
    "momentum": "optimizer.momentum",
    "weight_decay": "optimizer.weight_decay",
    "scheduler": "schedule",
    "lr_scheduler": "schedule",
    "random_state": "seed",
    "random_seed": "seed",
    "cv": "folds",
    "n_splits": "folds",
    "k_folds": "folds",
    "n_repeats": "splits",
    "schedule.t_max": "schedule.over_epochs",
    "schedule.total_iters": "schedule.over_epochs",
    "schedule.epochs": "epochs",
    "schedule.max_lr": "learning_rate",
    "schedule.initial_learning_rate": "learning_rate",
    "schedule.start_factor": "schedule.start_fraction",
    "schedule.end_factor": "schedule.final_fraction",
    "schedule.monitor": "schedule.metric",
    "optimizer.etas": "optimizer.etaminus",
    "optimizer.step_sizes": "optimizer.step_size_min",
    **dict.fromkeys(
        (f"optimizer.{beta}" for beta in ("beta_1", "beta_2", "beta1", "beta2", "b1", "b2")), "optimizer.betas"
    ),
    **dict.fromkeys(("optimizer.adam_beta_1", "optimizer.adam_beta_2"), "optimizer.adamw_betas"),
    **dict.fromkeys(("optimizer.muon_a", "optimizer.muon_b", "optimizer.muon_c"), "optimizer.ns_coefficients"),
    **dict.fromkeys(("loss.reduce", "loss.size_average"), "loss.reduction"),
    "model.units": "model.hidden",
    "model.hidden_units": "model.hidden",
    "model.hidden_layers": "model.hidden",
    **dict.fromkeys(("model.conv", "model.conv_layers", "model.filters", "model.kernel_size"), "model.layers"),
    **dict.fromkeys(("model.neurons", "model.num_layers", "model.layer_sizes"), "model.hidden"),
    **dict.fromkeys(("model.kernel_initializer", "model.initializer", "weight_initialization"), "model.init"),
    **dict.fromkeys(("gpu", "gpus", "accelerator"), "device"),
    **dict.fromkeys(("val_split", "validation_data"), "dataset.validation"),
    "test_size": "dataset.test",
    "dtype": "precision",
    "sample_weight": "dataset.weight",
    "warmup": "schedule.warmup_epochs",
    **dict.fromkeys(
        (f"dataset.{name}" for name in ("normalize", "scale", "scaling", "scaler", "normalization")),
        "dataset.standardize",
    ),
    **dict.fromkeys((f"dataset.{name}" for name in ("columns", "usecols", "feature_columns", "x")), "dataset.inputs"),
    **dict.fromkeys((f"dataset.{name}" for name in ("index_col", "exclude", "ignore")), "dataset.drop"),
    **dict.fromkeys(
        (f"dataset.{name}" for name in ("categorical", "categorical_columns", "one_hot", "get_dummies")),
        "dataset.encode",
    ),
    "save_every": "checkpoint.every",
    "dataset.n_samples": "dataset.samples",
    "dataset.validation_split": "dataset.validation",
    "dataset.test_size": "dataset.test",
    "dataset.test_split": "dataset.test",
    "dataset.val": "dataset.validation",
    "dataset.sep": "dataset.delimiter",
    "dataset.separator": "dataset.delimiter",
    "dataset.file": "dataset.path",
    "dataset.target_column": "dataset.target",
    "dataset.label": "dataset.target",
    "dataset.na_values": "dataset.missing_values",
    "model.output_activation": "model.output",
}

# Answers to keys of other programs that have no counterpart here.
ANSWERS: Final[dict[str, str]] = {
    "metrics": "every metric and loss of the task is always computed; compare_on chooses the one that decides",
    "callbacks": "use the keys early_stopping, checkpoint, schedule, and best instead",
    "verbose": "use the option --quiet to show less",
    **dict.fromkeys(
        (
            *(
                "optimizer.clipnorm",
                "optimizer.clipvalue",
                "optimizer.global_clipnorm",
                "gradient_clip_val",
                "clipnorm",
            ),
            *("clip_grad_norm", "clip_grad", "clip_norm", "max_grad_norm", "grad_clip", "gradient_clipping"),
        ),
        "gradients are not clipped; a warm-up (schedule.warmup_epochs) keeps the first steps small",
    ),
    **dict.fromkeys(
        ("steps_per_epoch", "max_steps"),
        "an epoch is one pass over the training data, in batches of batch_size",
    ),
    **dict.fromkeys(
        (
            *("model.input_shape", "model.in_features", "model.num_classes", "model.output_size", "model.input_dim"),
            *("model.output_dim", "model.out_features", "model.in_channels", "model.input_size", "model.n_classes"),
        ),
        "it follows from the data",
    ),
    **dict.fromkeys(
        ("output_dir", "log_dir", "checkpoint_dir", "save_dir"), "the option --runs-dir names the folder of the runs"
    ),
    "resume": f"`{command('resume', 'RUN')}` continues a run that was stopped",
    **dict.fromkeys(
        ("logger", "loggers", "wandb", "tensorboard", "log_every_n_steps", "log_interval"),
        "every epoch is in history.jsonl; the option --tensorboard also writes event files",
    ),
    **dict.fromkeys(
        ("train", "trainer", "training", "fit", "compile", "hyperparameters", "hparams", "params", "config"),
        "keys are not grouped like this: write each on its own line, such as epochs: 10",
    ),
    **dict.fromkeys(
        ("grid", "param_grid", "search", "search_space", "tuner", "n_trials", "hyperopt", "optuna"),
        "alternatives are in a sweep block, such as sweep: {learning_rate: [0.1, 0.01]}, or in the option --over of "
        f"`{command('sweep')}`",
    ),
    "loss_weights": "a run has one loss; write a sum of several as a loss of your own, `module:attribute`",
    **dict.fromkeys(("deterministic", "benchmark"), "every run repeats exactly on the same machine; remove it"),
    **dict.fromkeys(
        ("dataset.skiprows", "dataset.nrows", "dataset.comment"),
        "the whole file is read, so remove those lines from it",
    ),
    "dataset.flatten": "each model takes images as it needs them; remove it",
    **dict.fromkeys(
        ("model.layer_norm", "model.layernorm", "model.residual", "model.attention"),
        "the models here have batch_norm; write any other as a model of your own, `module:attribute`",
    ),
    "save_best_only": "the weights of the best epoch are always kept; best chooses the metric",
    "early_stopping.restore_best_weights": "the weights of the best epoch are always kept, and scored next to the last",
    **dict.fromkeys(
        ("model.kernel_regularizer", "model.regularizer", "model.l2", "loss.l2"),
        "the loss has no penalty on weights; with sgd, an optimizer.weight_decay of twice Keras' factor has the same "
        "effect",
    ),
    "model.output_bias": "model.init sets the initial biases",
    "optimizer.decay": "for the decay of old Keras, use the schedule inverse_time, with this value times the steps "
    "of an epoch as its decay; for that of TensorFlow 1's RMSProp, use alpha",
    **dict.fromkeys(
        (f"optimizer.{name}" for name in ("foreach", "fused", "capturable", "differentiable", "jit_compile")),
        _NO_RESULT,
    ),
    "optimizer.use_locking": _NO_RESULT,
    "optimizer.maximize": "a loss is always minimized; remove it",
    **dict.fromkeys(("ema", "ema_decay", "swa", "weight_averaging"), _NO_AVERAGE),
    **dict.fromkeys((f"optimizer.{n}" for n in ("use_ema", "ema_momentum", "ema_overwrite_frequency")), _NO_AVERAGE),
    **dict.fromkeys(
        ("optimizer.gradient_accumulation_steps", "accumulate_grad_batches"),
        "each batch is a step; set a larger batch_size instead",
    ),
    **dict.fromkeys(("amp", "use_amp", "mixed_precision", "fp16", "bf16"), "for mixed precision set precision: bf16"),
    "dataset.stratify": "classes are always divided in proportion, unless the data define the split; remove it",
    **dict.fromkeys(
        ("dataset.oversample", "dataset.undersample", "dataset.smote", "dataset.balance", "dataset.sampler"),
        "no sample is repeated or left out; loss.class_weights: balanced makes rare classes count as much",
    ),
    **dict.fromkeys(
        (f"dataset.{name}" for name in ("augment", "augmentation", "transform", "transforms", "preprocessing")),
        "samples are used as they are, or standardized; for anything else write a dataset of your own, "
        "`module:attribute`",
    ),
    **dict.fromkeys(
        ("dataset.log_target", "dataset.log_transform", "dataset.target_transform"),
        "targets are used as they are, or standardized; use the loss msle, or save their logarithms in the file",
    ),
    "loss.quantiles": "a run learns one quantile; a sweep trains several: sweep: {loss.quantile: [0.1, 0.5, 0.9]}",
    "optimizer.loss_scale_factor": "no gradient is computed in float16, so the loss needs no scaling; remove it",
    "optimizer.relative_step": "as in PyTorch, the learning rate is always limited to 1 / sqrt(step); remove it",
    **dict.fromkeys(
        ("optimizer.exclude_layers", "optimizer.exclude_embeddings"),
        "muon updates the matrices of hidden layers, and adamw everything else",
    ),
    "optimizer.rms_rate": "use adjust_lr_fn: match_rms_adamw, whose factor is 0.2, the default of Keras",
    "schedule.values": f"{_A_SHARE}learning_rate is the first value, and fractions are the others divided by it; "
    "boundaries are in epochs",
    "schedule.base_lr": f"{_A_SHARE}learning_rate is the highest, and base_fraction is base_lr divided by it",
    **dict.fromkeys(
        ("schedule.eta_min", "schedule.end_learning_rate"), f"{_A_SHARE}final_fraction is this divided by learning_rate"
    ),
    "schedule.warmup_target": "a warm-up always rises to learning_rate; remove it",
    "schedule.decay_steps": f"{_IN_EPOCHS}every, or over_epochs for cosine, linear and polynomial",
    "schedule.first_decay_steps": f"{_IN_EPOCHS}first_epochs",
    "schedule.step_size_up": f"{_IN_EPOCHS}up_epochs",
    "schedule.step_size_down": f"{_IN_EPOCHS}down_epochs",
    **dict.fromkeys(("schedule.warmup_steps", "warmup_steps"), f"{_IN_EPOCHS}schedule.warmup_epochs"),
    **dict.fromkeys(("schedule.total_steps", "schedule.steps_per_epoch"), _WHOLE_RUN),
    **dict.fromkeys((f"schedule.{n}" for n in ("cycle_momentum", "base_momentum", "max_momentum")), _ONE_MOMENTUM),
    **dict.fromkeys(("schedule.scale_fn", "schedule.scale_mode"), _NO_FUNCTION),
    "schedule.cycle": "it falls once; cosine_restarts and cyclic rise again",
    "schedule.last_epoch": "a resumed run continues its schedule by itself; remove it",
    "schedule.verbose": "the table of epochs and history.jsonl show the learning rate; remove it",
    "schedule.eps": "every reduction is made, however small; min_rate is the lowest rate",
    **dict.fromkeys(("loss.axis", "loss.dim"), _ONE_AXIS),
    "loss.dtype": "precision sets the type of all numbers; remove it",
    "loss.log_target": "targets are probabilities, not logarithms; remove it",
    **dict.fromkeys(
        ("workers", "num_workers", "pin_memory", "prefetch", "persistent_workers"),
        "data are kept in memory, so there are no workers",
    ),
}


def answer(path: str) -> str | None:
    """Return the answer to a key of another program, wherever it is written; None if there is no answer.

    A key that other places answer in different ways has no answer.
    """
    wanted = path.lower().replace("-", "_")
    if wanted in ANSWERS or wanted in HABITS:
        return ANSWERS.get(wanted)
    leaf = wanted.rpartition(".")[2]
    elsewhere = {text for key, text in ANSWERS.items() if key.rpartition(".")[2] == leaf}
    return elsewhere.pop() if len(elsewhere) == 1 else None

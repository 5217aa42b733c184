"""Try the user's own model, loss and optimizer on a batch, before anything is written.

This finds what would fail later, or silently mean something else. Each check isolates one component, so that the
message names the component to fix.
"""

from typing import Final

import torch

from lossrun.config import Choice, Config
from lossrun.steps.evaluate import evaluating, evaluation_batch
from lossrun.steps.replica import Replica
from lossrun.steps.samples import Samples
from lossrun.training.preflight.own_loss import check_loss, check_size, sample_losses
from lossrun.training.preflight.own_model import check_gradients, check_sizes_known, model_outputs
from lossrun.training.preflight.own_optimizer import check_groups, check_step
from lossrun.training.preflight.trying import called, spread, undone

# Samples of the batch, or fewer for a smaller training batch: enough that a gradient of 0 for all of them is not
# chance.
SAMPLES: Final = 256
FEWEST: Final = 4


def check_own_components(replica: Replica, config: Config, outputs: int) -> None:
    """Try the user's own model, loss or optimizer on samples from all over the training part.

    `outputs`: how many numbers the model must give for each sample. Afterwards weights, buffers and random state are as
    before. Raises UsageError, naming the component and what is wrong with it.
    """
    model, loss, optimizer = config.model, config.loss, config.optimizer
    for kind, choice, module in (("model", model, replica.network), ("loss", loss, replica.objective)):
        check_sizes_known(kind, choice, module)
    parts = replica.parts
    train, held_out = parts.train, [part for part in (parts.validation, parts.test) if part is not None]
    size = config.samples_per_step(len(train))
    last = size if config.drop_last else len(train) % size or size
    batch = spread(train, max(min(size, SAMPLES), FEWEST), unlike=outputs)
    with undone(replica):
        if model.is_plugin:
            replica.network.train()
            model_outputs(model, replica, spread(train, last), outputs, "the last batch of an epoch")
        replica.network.eval()
        computed = model_outputs(model, replica, batch, outputs, "a first batch")
        if loss.is_plugin:
            check_loss(loss, replica.objective.loss, computed.detach(), batch)
            for count in sorted({size, last}):
                leaf = computed.detach().requires_grad_()
                check_size(loss, replica, leaf, batch.targets, count, f"a batch of {count} samples")
        # With a single sample, a squeeze() removes the axis of samples as well.
        if last == 1 or any(len(part) == 1 for part in held_out):
            one = spread(train, 1)
            alone = model_outputs(model, replica, one, outputs, "a single sample").detach()
            if loss.is_plugin:
                sample_losses(loss, replica.objective.loss, alone, one.targets)
        for part in (*held_out, train):
            _check_scored(model, loss, replica, part)
        if model.is_plugin or optimizer.is_plugin:
            called("loss", loss, lambda: replica.objective(computed, batch.targets).backward())
        if model.is_plugin:
            check_gradients(model, replica.weights)
        if optimizer.is_plugin:
            check_groups(optimizer, replica.optimizer, replica.weights, config.learning_rate)
            check_step(optimizer, replica.weights, config.learning_rate)


@torch.no_grad()
def _check_scored(model: Choice, loss: Choice, replica: Replica, part: Samples) -> None:
    """Score a part as at the end of an epoch: without a gradient, and in evaluation mode.

    The model gets its samples in large batches, the loss all of them at once, and not in batches as in training.
    """
    batch = spread(part, evaluation_batch(part.inputs.device))
    scored = "samples, which are scored without a gradient (torch.no_grad())"
    with evaluating(replica.network, replica.objective), replica.arithmetic():
        inputs = batch.scaled(batch.inputs)
        outputs = called("model", model, replica.network, inputs.clone(), on=f"{len(batch)} {scored}")
        if loss.is_plugin:
            computed = outputs.to(inputs.dtype)
            check_size(loss, replica, computed, batch.targets, len(part), f"{len(part)} {scored}")

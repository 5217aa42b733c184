"""Take steps whose forward and backward pass, and whose update, are recorded once and then replayed.

On the CPU a record is a list of kernel calls (`recording.Recording`), on a GPU a CUDA graph (`cuda_graph.Captured`).
Both have `outputs` and `replay()`. Each batch size has a record of its own, because the shape of a batch is part of the
record. The learning rate and the samples are not: they are written into place before each replay.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from lossrun.replay.descent import Descent, descends, descents, may_be_deferred
from lossrun.replay.recording import Recording
from lossrun.steps.randomness import undisturbed
from lossrun.steps.recorder import Recorder, Replayable
from lossrun.steps.seed_group import SeedGroup, gather, minimised
from lossrun.steps.step import SeedGroupStep


@dataclass(slots=True)
class BatchRecord:
    """The records for one batch size.

    Attributes:
        inputs: Where the inputs of each batch are written, flat.
        targets: Where its targets are written.
        weights: Where the weights of its samples are written; None if all samples count the same.
        pass_: The forward and backward pass.
        losses: The mean losses that it computes.
        gradients: The gradients that it computes, one for each weight.
        descents: The weights that plain gradient descent updates without writing their gradients, by position.
        update: The update of the other weights; None until torch's optimizer has made its state, or if its update
            cannot be recorded.
        updates: How many updates were made without a record of them.
    """

    inputs: Tensor
    targets: Tensor
    weights: Tensor | None
    pass_: Replayable
    losses: Tensor
    gradients: Sequence[Tensor]
    descents: dict[int, Descent]
    update: Replayable | None = None
    updates: int = 0


class RecordedStep(SeedGroupStep):
    """A `Step` whose numbers are those of the eager step, up to the rounding of large matrix products."""

    def __init__(self, group: SeedGroup, recorder: Recorder) -> None:
        super().__init__(group)
        self.recorder = recorder
        self.kind = recorder.kind
        self.records: dict[int, BatchRecord] = {}
        self.current: BatchRecord | None = None
        device = group.replicas[0].parts.train.inputs.device
        # A fused CUDA kernel needs float32; the CPU's takes the double that an eager update gets.
        self.rate = torch.zeros((), dtype=torch.float64 if device.type == "cpu" else torch.float32, device=device)
        self.rate_now: float | None = None

    def weights_moved(self) -> None:
        self.records.clear()
        self.current = None

    def __call__(self, start: int, stop: int, rates: Sequence[float]) -> Tensor:
        group = self.group
        rows = group.rows(start, stop)
        record = self.records.get(stop - start)
        if record is None:
            record = self.records[stop - start] = self._recorded(rows, stop - start)
        samples = group.train
        torch.index_select(samples.inputs, 0, rows, out=record.inputs)
        torch.index_select(samples.targets, 0, rows, out=record.targets)
        if samples.weights is not None and record.weights is not None:
            torch.index_select(samples.weights, 0, rows, out=record.weights)
        record.pass_.replay()
        self._take_gradients(record)
        losses = group.combined(record.losses)
        self._update(record, rates)
        return group.for_all(losses)

    def gradient_norm(self) -> Tensor:
        assert self.current is not None
        for place, descent in self.current.descents.items():
            descent.compute_gradient()
            self.group.weights[place].grad = descent.gradient
        norm = super().gradient_norm()
        for place in self.current.descents:
            self.group.weights[place].grad = None
        return norm

    def _recorded(self, rows: Tensor, batch_size: int) -> BatchRecord:
        group, samples = self.group, self.group.train
        inputs, targets, weights = gather(group, samples, rows)

        def forward_and_backward() -> tuple[Tensor, tuple[Tensor, ...]]:
            losses = group.losses(samples.scaled(inputs), targets, weights)
            gradients = torch.autograd.grad(minimised(group, losses, batch_size), group.weights)
            return losses, tuple(map(_laid_out, gradients, group.weights))

        # Recording runs the function, which moves the statistics of batch norm and the dropout stream.
        make = self.recorder.any_number
        if self.recorder.deferring and descends(group):
            make = partial(self.recorder.deferring, defer=may_be_deferred(group.weights))
        with undisturbed(inputs.device, group.buffers):
            recording = make(forward_and_backward)
        losses, gradients = recording.outputs
        flat = len(rows)
        return BatchRecord(
            inputs.view(flat, *samples.inputs.shape[1:]),
            targets.view(flat, *samples.targets.shape[1:]),
            None if weights is None else weights.view(flat),
            recording,
            losses,
            gradients,
            descents(recording.deferred, group.weights, gradients) if isinstance(recording, Recording) else {},
        )

    def _take_gradients(self, record: BatchRecord) -> None:
        if record is not self.current:
            self.current = record
            for place, weight in enumerate(self.group.weights):
                # The optimizer skips weights without a gradient.
                weight.grad = None if place in record.descents else record.gradients[place]

    def _update(self, record: BatchRecord, rates: Sequence[float]) -> None:
        if self.group.own_rates:
            self._update_at_own_rates(record, rates)
            return
        rate = rates[0]
        if rate != self.rate_now:
            self.rate_now = rate
            self.rate.fill_(rate)
        for descent in record.descents.values():
            descent.update(rate)
        if record.update is not None:
            record.update.replay()
            return
        group, optimizer = self.group, self.group.optimizer
        recordable = not group.replicas[0].own_optimizer and self._reads_the_rate_where_it_lies(optimizer)
        # An update that is not recorded reads the same tensor, so that a resumed run rounds the rate in the same way.
        for parameters in optimizer.param_groups:
            parameters["lr"] = self.rate if recordable else rate
        self._update_without_record(record, recordable=recordable)
        for parameters in optimizer.param_groups:
            parameters["lr"] = rate

    def _update_at_own_rates(self, record: BatchRecord, rates: Sequence[float]) -> None:
        """Update with rates that lie in tensors, which the record reads whatever the optimizer."""
        self.group.set_rates(rates)
        if record.update is not None:
            record.update.replay()
        else:
            self._update_without_record(record, recordable=True)

    def _update_without_record(self, record: BatchRecord, *, recordable: bool) -> None:
        """Update, and record the second update: in the first, torch's optimizer also makes its state."""
        record.updates += 1
        if record.updates == 1 or not recordable:
            self.group.update()
        else:
            record.update = self.recorder.once(self.group.update)

    def _reads_the_rate_where_it_lies(self, optimizer: torch.optim.Optimizer) -> bool:
        """Return whether the optimizer can read the rate from the tensor, without rounding it.

        On a GPU the tensor is float32, which would round the rate of a run in float64.
        """
        precise = self.rate.dtype == torch.float64 or self.group.weights[0].dtype == torch.float32
        return precise and bool(optimizer.defaults.get("fused") or optimizer.defaults.get("capturable"))


def _laid_out(gradient: Tensor, weight: Tensor) -> Tensor:
    """Return the gradient in the memory order of its weight, as `backward()` leaves it.

    Fused optimizers go through both side by side, without looking at strides.
    """
    if gradient.stride() == weight.stride():
        return gradient
    return torch.empty_like(weight).copy_(gradient)

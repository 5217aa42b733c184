"""The tasks in PyTorch and Lightning, in the child."""

import logging
import time
import warnings
from math import prod
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn, optim
from torch.nn.functional import cross_entropy, mse_loss
from torch.utils.data import DataLoader, TensorDataset

from tests.bench.tasks import EVALUATION_BATCH, TASKS, Task, arrays_path, shaped


def in_memory(task: str, epochs: int, seed: int, folder: str) -> dict[str, Any]:
    """The plainest loop: tensors in memory, a fresh permutation, index_select, a fused optimizer; no running loss."""
    chosen = TASKS[task]
    x_train, y_train, x_val, y_val = _arrays(chosen, folder)
    torch.manual_seed(seed)
    network = _network(chosen)
    optimizer, loss_fn = _optimizer(chosen, network), _loss(chosen)
    chunks = list(zip(x_val.split(EVALUATION_BATCH), y_val.split(EVALUATION_BATCH), strict=True))
    seconds: list[float] = []
    score = float("nan")
    for _ in range(epochs):
        started = time.perf_counter()
        order = torch.randperm(len(x_train))
        for start in range(0, len(order), chosen.batch_size):
            batch = order[start : start + chosen.batch_size]
            optimizer.zero_grad()
            loss = loss_fn(network(x_train.index_select(0, batch)), y_train.index_select(0, batch))
            loss.backward()
            optimizer.step()
        _, score = _evaluation(chosen, network, chunks)
        seconds.append(time.perf_counter() - started)
    return {"seconds": seconds, "score": score}


def dataloader(task: str, epochs: int, seed: int, folder: str) -> dict[str, Any]:
    """The loop of the tutorials: a TensorDataset behind a DataLoader without workers."""
    chosen = TASKS[task]
    x_train, y_train, x_val, y_val = _arrays(chosen, folder)
    train = DataLoader(TensorDataset(x_train, y_train), batch_size=chosen.batch_size, shuffle=True)
    validation = DataLoader(TensorDataset(x_val, y_val), batch_size=EVALUATION_BATCH)
    torch.manual_seed(seed)
    network = _network(chosen)
    optimizer, loss_fn = _optimizer(chosen, network), _loss(chosen)
    seconds: list[float] = []
    score = float("nan")
    for _ in range(epochs):
        started = time.perf_counter()
        for inputs, targets in train:
            optimizer.zero_grad()
            loss_fn(network(inputs), targets).backward()
            optimizer.step()
        _, score = _evaluation(chosen, network, validation)
        seconds.append(time.perf_counter() - started)
    return {"seconds": seconds, "score": score}


def lightning(task: str, epochs: int, seed: int, folder: str) -> dict[str, Any]:
    """A LightningModule under a Trainer that shows, logs and saves nothing."""
    import lightning as pl

    warnings.filterwarnings("ignore")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    chosen = TASKS[task]
    loss_fn = _loss(chosen)

    class Module(pl.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.network = _network(chosen)

        def training_step(self, batch: Any) -> Tensor:
            inputs, targets = batch
            loss = loss_fn(self.network(inputs), targets)
            self.log("train_loss", loss)
            return loss

        def validation_step(self, batch: Any) -> None:
            inputs, targets = batch
            outputs = self.network(inputs)
            self.log("val_loss", loss_fn(outputs, targets))
            self.log("score", _score(chosen, outputs, targets))

        def configure_optimizers(self) -> optim.Optimizer:
            return _optimizer(chosen, self.network)

    class Clock(pl.Callback):
        def __init__(self) -> None:
            self.seconds: list[float] = []

        def on_train_epoch_start(self, *_: Any) -> None:
            self.started = time.perf_counter()

        def on_train_epoch_end(self, *_: Any) -> None:
            # Validation is over: it is the last part of Lightning's training epoch.
            self.seconds.append(time.perf_counter() - self.started)

    x_train, y_train, x_val, y_val = _arrays(chosen, folder)
    torch.manual_seed(seed)
    clock = Clock()
    trainer = pl.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        callbacks=[clock],
    )
    trainer.fit(
        Module(),
        DataLoader(TensorDataset(x_train, y_train), batch_size=chosen.batch_size, shuffle=True),
        DataLoader(TensorDataset(x_val, y_val), batch_size=EVALUATION_BATCH),
    )
    return {"seconds": clock.seconds, "score": float(trainer.callback_metrics["score"])}


def _arrays(task: Task, folder: str) -> list[Tensor]:
    arrays = np.load(arrays_path(task, folder))
    return [
        torch.from_numpy(shaped(task, arrays[name], channels_last=False) if name.startswith("x") else arrays[name])
        for name in ("x_train", "y_train", "x_val", "y_val")
    ]


def _network(task: Task) -> nn.Module:
    body: list[nn.Module] = []
    shape: tuple[int, ...] = (1, 28, 28) if task.images else (task.dataset.get("features", 784),)
    for layer in task.layers:
        match layer:
            case ("conv", filters, kernel, padding):
                body += [nn.Conv2d(shape[0], filters, kernel, padding=padding), nn.ReLU()]
                less = 0 if padding == "same" else kernel - 1
                shape = (filters, shape[1] - less, shape[2] - less)
            case ("avg_pool", size):
                body.append(nn.AvgPool2d(size))
                shape = (shape[0], shape[1] // size, shape[2] // size)
            case ("dense", units):
                body += [nn.Flatten()] if len(shape) > 1 else []
                body += [nn.Linear(prod(shape), units), nn.ReLU()]
                shape = (units,)
    network = nn.Sequential(*body, nn.Linear(prod(shape), task.outputs))
    assert sum(weight.numel() for weight in network.parameters()) == task.parameters
    return network


def _optimizer(task: Task, network: nn.Module) -> optim.Optimizer:
    kind = optim.SGD if task.optimizer == "sgd" else optim.Adam
    return kind(network.parameters(), lr=task.learning_rate, fused=True)


def _loss(task: Task) -> Any:
    return cross_entropy if task.classes else mse_loss


def _score(task: Task, outputs: Tensor, targets: Tensor) -> Tensor:
    """Of a batch: the share of right answers, or the mean squared error."""
    if task.classes:
        return (outputs.argmax(1) == targets).double().mean()
    return (outputs - targets).square().double().mean()


def _evaluation(task: Task, network: nn.Module, batches: Any) -> tuple[float, float]:
    """Mean loss and score over all samples."""
    loss_fn = _loss(task)
    loss = score = 0.0
    samples = 0
    network.eval()
    with torch.no_grad():
        for inputs, targets in batches:
            outputs = network(inputs)
            loss += float(loss_fn(outputs, targets)) * len(inputs)
            score += float(_score(task, outputs, targets)) * len(inputs)
            samples += len(inputs)
    network.train()
    return loss / samples, score / samples

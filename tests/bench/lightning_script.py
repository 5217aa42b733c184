"""The job of `lossrun train` on MNIST as a Lightning user writes it: python lightning_script.py MNIST.npz EPOCHS"""

import sys

import lightning as pl
import numpy as np
import torch
from lightning.pytorch.loggers import CSVLogger
from torch import nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, TensorDataset, random_split


class Classifier(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.network = nn.Sequential(
            nn.Flatten(), nn.Linear(784, 300), nn.ReLU(), nn.Linear(300, 100), nn.ReLU(), nn.Linear(100, 10)
        )

    def training_step(self, batch):
        inputs, targets = batch
        loss = cross_entropy(self.network(inputs), targets)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch):
        self.score("val", batch)

    def test_step(self, batch):
        self.score("test", batch)

    def score(self, part, batch):
        inputs, targets = batch
        logits = self.network(inputs)
        self.log(f"{part}_loss", cross_entropy(logits, targets), prog_bar=True)
        self.log(f"{part}_accuracy", (logits.argmax(1) == targets).float().mean(), prog_bar=True)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


path, epochs = sys.argv[1], int(sys.argv[2])
with np.load(path) as mnist:
    parts = [
        TensorDataset(torch.from_numpy(mnist[f"x_{part}"]).float() / 255, torch.from_numpy(mnist[f"y_{part}"]).long())
        for part in ("train", "test")
    ]
pl.seed_everything(0)
train, validation = random_split(parts[0], [55_000, 5_000])
trainer = pl.Trainer(max_epochs=epochs, accelerator="cpu", logger=CSVLogger("."))
model = Classifier()
trainer.fit(model, DataLoader(train, batch_size=128, shuffle=True), DataLoader(validation, batch_size=128))
trainer.test(model, DataLoader(parts[1], batch_size=128))

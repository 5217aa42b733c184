"""The functions behind the names in `catalog/`: models, losses, optimizers, schedules and metrics."""

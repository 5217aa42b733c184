"""What the names in `catalog/` do, module for module: models, losses, optimizers, schedules and metrics."""

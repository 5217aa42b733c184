"""An experiment as a PyTorch script."""

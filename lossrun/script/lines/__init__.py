"""Lines of code that PyTorch and Keras scripts share."""

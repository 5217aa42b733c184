"""An experiment as a Keras script."""

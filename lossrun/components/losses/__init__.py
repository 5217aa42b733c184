"""The losses: functions that take outputs first, targets second, and return one value per sample.

`catalog/losses/` declares their parameters, and `components/lookup.py` finds the function of a declared name.

Shapes: outputs (N, K), and targets of the same shape, or class indices (N,) if the loss takes classes. A sample's loss
is the mean over its K outputs, or one value for all of them together (`averages_outputs` in the catalogue says which).
Nothing is ever broadcast.
"""

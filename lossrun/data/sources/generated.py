"""Datasets that lossrun computes: one function for each, by its declared name.

`name(**parameters) -> Dataset` takes the declared parameters but those that every dataset has (`COMMON_KEYS`), just as
a dataset function of the user's own does. What it returns is checked and encoded in the same way, and a script quotes
its source.
"""

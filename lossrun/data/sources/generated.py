"""Datasets that lossrun computes: one function for each, by its declared name.

`name(**parameters) -> Dataset` takes the declared parameters, except those that every dataset has (`COMMON_KEYS`), as a
user's own dataset function does. Its result is checked and encoded in the same way, and a script contains its source.
"""

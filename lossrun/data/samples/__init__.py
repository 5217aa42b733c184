"""Samples in memory: targets, weights, splits, scaling, corruption, hashes."""

"""Measure a model on a split, beside the baselines."""

"""Weights that training does not write: third-party ones, pinned and fetched, and the ones that ship."""

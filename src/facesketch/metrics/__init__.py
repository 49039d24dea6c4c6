"""Measures of a translated picture against the artist's, and of a set against a set."""

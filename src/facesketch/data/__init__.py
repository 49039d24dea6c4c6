"""Folders of pictures become pairs, a split, and batches for training."""

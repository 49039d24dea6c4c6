"""Measure how well search finds people."""

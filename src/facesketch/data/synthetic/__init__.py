"""Faces drawn by the package itself, as photo and as sketch."""

"""The grid from one command, what its numbers say, and the report."""

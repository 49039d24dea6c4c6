"""The training loop, and what it needs: run folder, state, log, lock and progress."""

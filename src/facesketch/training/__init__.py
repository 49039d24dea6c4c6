"""The one training loop, and what it needs: schedules, image pools, logs."""

"""Several checkpoints become one model: the average of their parameters."""

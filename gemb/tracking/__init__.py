"""Services that follow a run: Weights & Biases, and MLflow."""

"""How good are the embeddings? Metrics, baselines and the report."""

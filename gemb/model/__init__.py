"""The encoder: a Gemma-style transformer that attends in both directions."""

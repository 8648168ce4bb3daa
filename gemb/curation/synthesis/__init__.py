"""Training data that a language model writes: queries, and texts of classes.

Source: Gemini Embedding (arXiv:2503.07891), section 4.2. `writing` asks, reads,
rates and keeps; `queries` and `classes` say what is asked for.
"""

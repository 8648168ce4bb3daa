"""Mixtures: rates from each task's own convergence, and a search around them.

Sources: Gemini Embedding (arXiv:2503.07891), section 3.3; EmbeddingGemma
(arXiv:2509.20354), section 3.
"""

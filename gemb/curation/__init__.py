"""Curation: hard negatives, their scores, filters, and synthetic data.

Source: Gemini Embedding (arXiv:2503.07891), sections 4.2 to 4.4. Each stage
reads and writes JSON lines (`journal`) in one folder; the rows of mining,
scoring and filtering are `candidates.Mined`, and each is what
`DataConfig.mined_negatives` takes.
"""

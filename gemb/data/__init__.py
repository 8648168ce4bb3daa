"""From corpora to batches.

Corpora, tasks and `cache` build, with TensorFlow; `records` and `loader` read,
without it.
"""

"""Prints what each corpus kept and dropped: python -m gemb.data.corpora."""

from gemb.data import corpora

print(corpora.table())

"""Checkpoints of other libraries: what they call our parameters, how to read.

Each format is a class with the interface of `places.Checkpoint`;
`gemb/model/from_decoder.py` chooses one and loads it.
"""

"""MTEB's tasks and evaluators on a gemb encoder, and on local files.

The library mteb and its torch are imported inside functions alone: to read
these modules, or to train, neither is needed.
"""

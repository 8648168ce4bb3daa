"""The pieces of training that the loop puts together."""

"""The commands of `gemb`: what each is called with, and what it does.

Heavy imports wait until a command is known: `gemb --help` is instant, and
only `gemb cache` ever imports TensorFlow, only MTEB PyTorch.
"""

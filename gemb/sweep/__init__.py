"""Sweeps: runs that are one run but for a few values, in one folder."""

"""Losses: pure functions on global arrays; sharding is the compiler's work."""

"""Grouped-query attention: one definition, and three ways to compute it."""

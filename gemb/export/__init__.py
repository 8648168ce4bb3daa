"""A trained model for others: the folder that sentence-transformers loads."""

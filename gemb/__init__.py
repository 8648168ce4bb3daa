"""gemb trains text embedding models on TPUs, the Gemini Embedding way."""

__version__ = '0.1.0'

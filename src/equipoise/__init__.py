"""Fine-tune one language model for many sentiment tasks at once, and keep them in balance."""

__version__ = "0.1.0"

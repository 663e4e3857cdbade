"""The kind `extraction`."""

from .task import Extraction

__all__ = ["Extraction"]

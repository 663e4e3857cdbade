"""The kind `triplets`."""

from .task import Triplets

__all__ = ["Triplets"]

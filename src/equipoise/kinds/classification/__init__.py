"""The kind `classification`."""

from .task import Classification

__all__ = ["Classification"]

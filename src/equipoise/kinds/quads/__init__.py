"""The kind `quads`."""

from .task import Quads

__all__ = ["Quads"]

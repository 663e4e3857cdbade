"""The kind `generation`."""

from .task import Generation

__all__ = ["Generation"]

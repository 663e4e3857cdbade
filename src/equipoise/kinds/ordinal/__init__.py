"""The kind `ordinal`."""

from .task import Ordinal

__all__ = ["Ordinal"]

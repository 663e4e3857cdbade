"""The kind `multilabel`."""

from .task import Multilabel

__all__ = ["Multilabel"]

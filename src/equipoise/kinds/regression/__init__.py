"""The kind `regression`."""

from .task import Regression

__all__ = ["Regression"]

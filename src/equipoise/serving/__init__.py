"""A trained model as an HTTP service, and its page."""

from .app import make_app
from .batching import Ask, Batcher, Item, QueueFullError
from .limits import Limits
from .run import serve

__all__ = ["Ask", "Batcher", "Item", "Limits", "QueueFullError", "make_app", "serve"]

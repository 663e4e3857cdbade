"""Evolutionary merging: coefficients that merge a run file's experts best, searched in stages."""

from .recipes import Recipe, Space
from .search_run import Evolved, evolve
from .weak import WeakRows, mine_weak

__all__ = ["Evolved", "Recipe", "Space", "WeakRows", "evolve", "mine_weak"]

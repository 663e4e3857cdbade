"""Evolutionary merging: coefficients that merge a run file's experts best, searched in stages."""

from equipoise.extras import check_extra

check_extra("search", ("optuna", "cmaes", "peft"), "search")

from .recipes import Recipe, Space  # noqa: E402
from .search_run import Evolved, evolve  # noqa: E402
from .weak import WeakRows, mine_weak  # noqa: E402

__all__ = ["Evolved", "Recipe", "Space", "WeakRows", "evolve", "mine_weak"]

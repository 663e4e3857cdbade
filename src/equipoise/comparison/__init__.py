"""Comparing balancers fairly: the same data, several seeds, the comparison rows that matter, and paired tests."""

from .compare_runs import Comparison, compare

__all__ = ["Comparison", "compare"]

"""Merging: one model of several experts of one base."""

from .base import Base
from .experts import Expert, Kind, common_base, find_experts
from .merging import Merge, merge
from .operators import MERGE_OPERATORS, MergeOperator, MetaGPT, make_merge_operator
from .task_modules import Combined, Modules, combine_models
from .vectors import Vector, read_vectors

__all__ = [
    "MERGE_OPERATORS",
    "Base",
    "Combined",
    "Expert",
    "Kind",
    "Merge",
    "MergeOperator",
    "MetaGPT",
    "Modules",
    "Vector",
    "combine_models",
    "common_base",
    "find_experts",
    "make_merge_operator",
    "merge",
    "read_vectors",
]

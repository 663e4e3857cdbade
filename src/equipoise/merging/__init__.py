"""Merging: one model of several experts of one base."""

from .accounting import Fate, TensorFate, summarize
from .adamerging import AdaMerged, adamerge
from .base import Base
from .collecting import ExpertRows, collect_statistics, read_expert_rows
from .experts import Expert, Kind, common_base, find_experts
from .heads import load_with_head
from .merging import Merge, merge
from .method import MergeMethod, MergeOptions
from .operators import (
    MERGE_OPERATORS,
    Cache,
    Column,
    MergeOperator,
    MetaGPT,
    TaskVector,
    make_merge_operator,
)
from .own_heads import Combined, Modules, combine_models
from .statistics import RowSample, fisher, input_grams
from .vector import Vector
from .vectors import read_vectors

__all__ = [
    "MERGE_OPERATORS",
    "AdaMerged",
    "Base",
    "Cache",
    "Column",
    "Combined",
    "Expert",
    "ExpertRows",
    "Fate",
    "Kind",
    "Merge",
    "MergeMethod",
    "MergeOperator",
    "MergeOptions",
    "MetaGPT",
    "Modules",
    "RowSample",
    "TaskVector",
    "TensorFate",
    "Vector",
    "adamerge",
    "collect_statistics",
    "combine_models",
    "common_base",
    "find_experts",
    "fisher",
    "input_grams",
    "load_with_head",
    "make_merge_operator",
    "merge",
    "read_expert_rows",
    "read_vectors",
    "summarize",
]

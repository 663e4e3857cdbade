"""Merging: one model of several experts of one base.

The operators need torch only. What reads and writes models needs transformers and peft, and loads when it is used.
"""

import warnings
from importlib import import_module
from typing import TYPE_CHECKING, Any

from equipoise.errors import EquipoiseWarning
from equipoise.extras import check_extra

from .operators import (
    MERGE_OPERATORS,
    Cache,
    MergeOperator,
    MetaGPT,
    Reuse,
    TaskVector,
    TensorGroup,
    make_merge_operator,
)

if TYPE_CHECKING:
    from .accounting import Fate, TensorFate, summarize
    from .adamerging import AdaMerged, AdaMergingSettings, adamerge
    from .base import Base
    from .collecting import ExpertRows, collect_statistics, read_expert_rows
    from .experts import Expert, Kind, common_base, find_experts
    from .heads import load_with_head
    from .merging import Merge, merge
    from .method import MergeMethod, MergeOptions
    from .own_heads import Combined, HeadPolicy, combine_models
    from .statistics import RowSample, fisher, input_grams
    from .vector import Vector
    from .vectors import read_vectors

__all__ = [
    "MERGE_OPERATORS",
    "AdaMerged",
    "AdaMergingSettings",
    "Base",
    "Cache",
    "Combined",
    "Expert",
    "ExpertRows",
    "Fate",
    "HeadPolicy",
    "Kind",
    "Merge",
    "MergeMethod",
    "MergeOperator",
    "MergeOptions",
    "MetaGPT",
    "Reuse",
    "RowSample",
    "TaskVector",
    "TensorFate",
    "TensorGroup",
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

_HOMES = {
    "AdaMerged": ".adamerging",
    "AdaMergingSettings": ".adamerging",
    "Base": ".base",
    "Combined": ".own_heads",
    "Expert": ".experts",
    "ExpertRows": ".collecting",
    "Fate": ".accounting",
    "HeadPolicy": ".own_heads",
    "Kind": ".experts",
    "Merge": ".merging",
    "MergeMethod": ".method",
    "MergeOptions": ".method",
    "RowSample": ".statistics",
    "TensorFate": ".accounting",
    "Vector": ".vector",
    "adamerge": ".adamerging",
    "collect_statistics": ".collecting",
    "combine_models": ".own_heads",
    "common_base": ".experts",
    "find_experts": ".experts",
    "fisher": ".statistics",
    "input_grams": ".statistics",
    "load_with_head": ".heads",
    "merge": ".merging",
    "read_expert_rows": ".collecting",
    "read_vectors": ".vectors",
    "summarize": ".accounting",
}

if not TYPE_CHECKING:  # a type checker knows the names from above

    def __getattr__(name: str) -> Any:
        """Import what reads and writes models when it is asked for."""
        if name == "Modules":
            warnings.warn("equipoise.merging.Modules is now HeadPolicy.", EquipoiseWarning, stacklevel=2)
            name = "HeadPolicy"
        if name in _HOMES:
            check_extra("search", ("peft",), "merging")
            return getattr(import_module(_HOMES[name], __name__), name)
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")

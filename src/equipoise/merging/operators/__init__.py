"""Merge operators: from the task vectors of several experts to one, by name.

merge = make_merge_operator("ties", density=0.2)
weights = dict(zip(vectors, merge.default_weights(len(vectors)), strict=True))
for tensor, vector in merge.merge(vectors, weights, base):
    merged[tensor] = base[tensor] + vector
"""

from inspect import signature
from typing import Any

from equipoise.errors import UsageError, did_you_mean

from .base import Cache, MergeOperator, Reuse, TaskVector, TensorGroup
from .breadcrumbs import Breadcrumbs
from .dare_linear import DARELinear
from .dare_ties import DARETIES
from .della import DELLA
from .fisher import Fisher
from .iso_c import IsoC
from .knots import KnOTS
from .linear import Linear
from .metagpt import MetaGPT
from .optmerge import OptMerge
from .regmean import RegMean
from .slerp import SLERP
from .task_arithmetic import TaskArithmetic
from .ties import TIES
from .tsv_m import TSVM
from .wudi import WUDI

__all__ = [
    "DARETIES",
    "DELLA",
    "MERGE_OPERATORS",
    "SLERP",
    "TIES",
    "TSVM",
    "WUDI",
    "Breadcrumbs",
    "Cache",
    "DARELinear",
    "Fisher",
    "IsoC",
    "KnOTS",
    "Linear",
    "MergeOperator",
    "MetaGPT",
    "OptMerge",
    "RegMean",
    "Reuse",
    "TaskArithmetic",
    "TaskVector",
    "TensorGroup",
    "make_merge_operator",
]

MERGE_OPERATORS: dict[str, type[MergeOperator]] = {
    operator.name: operator
    for operator in (
        Breadcrumbs,
        DARELinear,
        DARETIES,
        DELLA,
        Fisher,
        IsoC,
        KnOTS,
        Linear,
        MetaGPT,
        OptMerge,
        RegMean,
        SLERP,
        TaskArithmetic,
        TIES,
        TSVM,
        WUDI,
    )
}
"""The merge operators by the name they have in the run file and on the command line."""


def make_merge_operator(name: str, /, **options: Any) -> MergeOperator:
    """Make a merge operator from its name and options.

    Args:
        name: a key of `MERGE_OPERATORS`.
        options: keyword arguments of the operator.

    Raises:
        UsageError: If there is no such operator or option, or an option has a bad value.
    """
    if name not in MERGE_OPERATORS:
        meant = str(name).lower().replace("-", "_")
        raise UsageError(f"merge: there is no operator '{name}'. {did_you_mean(meant, MERGE_OPERATORS)}")
    operator = MERGE_OPERATORS[name]
    known = [] if operator.__init__ is object.__init__ else list(signature(operator).parameters)
    for option in options:
        if option not in known:
            raise UsageError(f"merge: '{name}' has no option '{option}'. {did_you_mean(option, known)}")
    return operator(**options)

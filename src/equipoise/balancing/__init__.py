"""Balancers: turn the losses of several tasks into the one scalar to back-propagate.

A balancer needs nothing else of this package and works in any PyTorch loop:

    balance = DynamicAdaptiveLoss(["score", "polarity"])
    loss = balance({"score": mse_per_example, "polarity": ce_per_example}, features=h)
    loss.backward()
"""

from collections.abc import Mapping, Sequence
from inspect import Parameter, signature
from typing import Any

from equipoise.errors import UsageError, did_you_mean

from .aligned_mtl import AlignedMTL
from .alignment import alignment_penalty
from .base import Balancer
from .cagrad import CAGrad
from .dao import DynamicAdaptiveLoss
from .db_mtl import DualBalancing
from .dualproj import DualProj
from .dwa import DynamicWeightAverage
from .equal import EqualWeights
from .example_weights import WEIGHTED_KINDS, LabelStats, example_weight_table
from .excess_mtl import ExcessMTL
from .fairgrad import FairGrad
from .famo import FAMO
from .geometric_mean import GeometricMean
from .gradnorm import GradNorm
from .gradvac import GradVac
from .imtl_g import ImpartialGradients
from .imtl_l import ImpartialLosses
from .input_checks import NonFiniteLoss
from .mgda import MGDA
from .modo import MoDo
from .nash_mtl import NashMTL
from .ogm import OnTheFlyModulation
from .pcgrad import PCGrad
from .random_weights import RandomWeights
from .repeatable import Repeatable
from .sdmgrad import SDMGrad
from .static import StaticWeights
from .stch import SmoothTchebycheff
from .uncertainty import UncertaintyWeighting
from .upgrad import UPGrad

__all__ = [
    "BALANCERS",
    "FAMO",
    "MGDA",
    "WEIGHTED_KINDS",
    "AlignedMTL",
    "Balancer",
    "CAGrad",
    "DualBalancing",
    "DualProj",
    "DynamicAdaptiveLoss",
    "DynamicWeightAverage",
    "EqualWeights",
    "ExcessMTL",
    "FairGrad",
    "GeometricMean",
    "GradNorm",
    "GradVac",
    "ImpartialGradients",
    "ImpartialLosses",
    "LabelStats",
    "MoDo",
    "NashMTL",
    "NonFiniteLoss",
    "OnTheFlyModulation",
    "PCGrad",
    "RandomWeights",
    "Repeatable",
    "SDMGrad",
    "SmoothTchebycheff",
    "StaticWeights",
    "UPGrad",
    "UncertaintyWeighting",
    "alignment_penalty",
    "example_weight_table",
    "make_balancer",
]

BALANCERS: dict[str, type[Balancer]] = {
    "aligned_mtl": AlignedMTL,
    "cagrad": CAGrad,
    "dao": DynamicAdaptiveLoss,
    "db_mtl": DualBalancing,
    "dualproj": DualProj,
    "dwa": DynamicWeightAverage,
    "equal": EqualWeights,
    "excess_mtl": ExcessMTL,
    "fairgrad": FairGrad,
    "famo": FAMO,
    "geometric_mean": GeometricMean,
    "gradnorm": GradNorm,
    "gradvac": GradVac,
    "imtl_g": ImpartialGradients,
    "imtl_l": ImpartialLosses,
    "mgda": MGDA,
    "modo": MoDo,
    "nash_mtl": NashMTL,
    "ogm": OnTheFlyModulation,
    "pcgrad": PCGrad,
    "random": RandomWeights,
    "sdmgrad": SDMGrad,
    "static": StaticWeights,
    "stch": SmoothTchebycheff,
    "uncertainty": UncertaintyWeighting,
    "upgrad": UPGrad,
}
"""The balancers by the name they have in the run file."""


def make_balancer(
    name: str,
    tasks: Mapping[str, str] | Sequence[str],
    options: Mapping[str, Any] | None = None,
    label_stats: Mapping[str, LabelStats] | None = None,
    seed: int = 0,
) -> Balancer:
    """Make a balancer from its name and options in the run file.

    Args:
        name: a key of `BALANCERS`.
        tasks: the tasks' names, or a mapping from name to kind.
        options: keyword arguments of the balancer, and `alignment` (see `Balancer.alignment`).
        label_stats: statistics of the training labels, for a balancer that weighs examples.
        seed: seed of the draws of a balancer that makes some, unless `options` has its own.

    Raises:
        UsageError: If there is no such balancer or option, an option is missing or has a bad value, or a package
            that the balancer needs is not installed.
    """
    if name not in BALANCERS:
        meant = name.lower().replace("-", "_")
        raise UsageError(f"balance: there is no balancer '{name}'. {did_you_mean(meant, BALANCERS)}")
    options = dict(options or {})
    alignment = options.pop("alignment", 0.0)
    parameters = {
        key: parameter
        for key, parameter in signature(BALANCERS[name]).parameters.items()
        if parameter.kind is Parameter.KEYWORD_ONLY
    }
    # Fitted on the training split, so nothing for a run file to set.
    fitted: dict[str, Any] = {"label_stats": label_stats} if parameters.pop("label_stats", None) else {}
    for option in options:
        if option not in parameters:
            hint = did_you_mean(option, [*parameters, "alignment"])
            known = f" Its options: {', '.join(parameters)}." if hint.startswith("Did") else ""
            raise UsageError(f"balance: '{name}' has no option '{option}'. {hint}{known}")
    for key, parameter in parameters.items():
        if parameter.default is Parameter.empty and key not in options:
            raise UsageError(f"balance: '{name}' needs the option '{key}'.")
    if "seed" in parameters:
        options.setdefault("seed", seed)
    try:
        balancer = BALANCERS[name](tasks, **options, **fitted)
        balancer.alignment = alignment
    except ValueError as error:
        raise UsageError(f"balance: {name}: {error}") from None
    return balancer

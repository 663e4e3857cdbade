"""Balancers: turn the losses of several tasks into the one scalar to back-propagate.

A balancer needs nothing else of this package and works in any PyTorch loop:

    balance = DynamicAdaptiveLoss({"score": "regression", "polarity": "classification"})
    loss = balance(
        {"score": mse_per_example, "polarity": ce_per_example}, features=h, targets={"score": y, "polarity":
        k}
    )
    loss.backward()
"""

from collections.abc import Mapping, Sequence
from inspect import Parameter, signature
from typing import Any

from equipoise.errors import UsageError, did_you_mean

from .base import Balancer, NonFiniteLoss
from .dao import DynamicAdaptiveLoss
from .equal import EqualWeights
from .example_weights import LabelStats, example_weight_table
from .repeatable import Repeatable
from .static import StaticWeights
from .uncertainty import UncertaintyWeighting

__all__ = [
    "BALANCERS",
    "Balancer",
    "DynamicAdaptiveLoss",
    "EqualWeights",
    "LabelStats",
    "NonFiniteLoss",
    "Repeatable",
    "StaticWeights",
    "UncertaintyWeighting",
    "example_weight_table",
    "make_balancer",
]

BALANCERS: dict[str, type[Balancer]] = {
    "dao": DynamicAdaptiveLoss,
    "equal": EqualWeights,
    "static": StaticWeights,
    "uncertainty": UncertaintyWeighting,
}
"""The balancers by the name they have in the run file."""


def make_balancer(
    name: str,
    tasks: Mapping[str, str] | Sequence[str],
    options: Mapping[str, Any] | None = None,
    label_stats: Mapping[str, LabelStats] | None = None,
) -> Balancer:
    """Make a balancer from its name and options in the run file.

    Args:
        name: a key of `BALANCERS`.
        tasks: the tasks' names, or a mapping from name to kind.
        options: keyword arguments of the balancer.
        label_stats: statistics of the training labels, for a balancer that weighs examples.

    Raises:
        UsageError: If there is no such balancer or option, an option is missing, or has a bad value.
    """
    if name not in BALANCERS:
        raise UsageError(f"balance: there is no balancer '{name}'. {did_you_mean(name, BALANCERS)}")
    options = dict(options or {})
    parameters = {
        key: parameter
        for key, parameter in signature(BALANCERS[name]).parameters.items()
        if parameter.kind is Parameter.KEYWORD_ONLY
    }
    # Fitted on the training split, so nothing for a run file to set.
    fitted: dict[str, Any] = {"label_stats": label_stats} if parameters.pop("label_stats", None) else {}
    for option in options:
        if option not in parameters:
            hint = did_you_mean(option, parameters)
            known = f" Its options: {', '.join(parameters)}." if hint.startswith("Did") else ""
            raise UsageError(f"balance: '{name}' has no option '{option}'. {hint}{known}")
    for key, parameter in parameters.items():
        if parameter.default is Parameter.empty and key not in options:
            raise UsageError(f"balance: '{name}' needs the option '{key}'.")
    try:
        return BALANCERS[name](tasks, **options, **fitted)
    except ValueError as error:
        raise UsageError(f"balance: {name}: {error}") from None

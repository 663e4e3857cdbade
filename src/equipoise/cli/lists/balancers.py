"""`equipoise list balancers`."""

from collections.abc import Collection
from typing import TYPE_CHECKING

from equipoise.terminal import Column, ListTable

from .catalogue import Catalogue

if TYPE_CHECKING:
    from equipoise.balancing import Balancer

_COMMON = ("clip", "where", "label_stats")
"""Options that most balancers have; the footer names those of the run file."""
_COSTS = {
    "losses": "losses only",
    "gramian": "gradients at the features",
    "gradients": "gradients at the features",
    "halves": "both halves of the batch",
}


class Balancers(Catalogue):
    """The balancers, from their classes."""

    noun = "balancer"
    footer = (
        "All have the option alignment, all but equal and static clip, those with gradients also where. "
        "`equipoise list balancers NAME` describes one.\n"
        'extra: pip install "equipoise[balancers]"'
    )

    def names(self) -> Collection[str]:
        """Return their names in the run file."""
        from equipoise.balancing import BALANCERS

        return BALANCERS

    def table(self) -> ListTable:
        """Return name, summary, cost of a step, options with their defaults, and paper of each."""
        from equipoise.balancing import BALANCERS

        columns = (
            Column("name", code=True, wraps=False),
            Column("what it does"),
            Column("costs"),
            Column("options", code=True, empty="–"),
            Column("paper"),
        )
        rows = [
            (name, _summary(balancer), _costs(balancer), _options(balancer), balancer.paper)
            for name, balancer in BALANCERS.items()
        ]
        return ListTable(columns, rows)

    def _describe(self, name: str) -> str:
        from inspect import getdoc

        from equipoise.balancing import BALANCERS

        return getdoc(BALANCERS[name]) or ""


def _summary(balancer: "type[Balancer]") -> str:
    """Return the first line of the docstring without the paper, which has a column of its own."""
    from inspect import getdoc
    from re import sub

    first = (getdoc(balancer) or "").partition("\n")[0]
    return sub(r" \([^()]*\b\d{4}\b[^()]*\)\.$", ".", first)


def _costs(balancer: "type[Balancer]") -> str:
    """Return what a step costs beyond one with equal weights."""
    costs = "one more forward" if balancer.needs_next_losses else _COSTS[balancer.needs]
    # TorchJD alone comes with Equipoise.
    return costs + ("; extra" if set(balancer.packages) - {"torchjd"} else "")


def _options(balancer: "type[Balancer]") -> tuple[str, ...]:
    from inspect import Parameter, signature
    from json import dumps

    options = []
    for key, parameter in signature(balancer).parameters.items():
        if parameter.kind is Parameter.KEYWORD_ONLY and key not in _COMMON:
            has_default = parameter.default is not Parameter.empty and parameter.default is not None
            options.append(f"{key}: {dumps(parameter.default)}" if has_default else key)
    return tuple(options)


CATALOGUE = Balancers()

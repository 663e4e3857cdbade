"""The lists that `equipoise list` shows: one file each."""

from importlib import import_module

from equipoise.errors import UsageError, did_you_mean

from .catalogue import Catalogue

LISTS = {
    "keys": "The keys of a run file, with their defaults.",
    "balancers": "The rules that balance the losses of several tasks.",
    "operators": "The ways to merge experts into one model.",
    "starters": "The models and corpora to start with, and which of them are fetched.",
    "kinds": "The kinds of task.",
    "codes": "The codes of what `equipoise check` finds, and what to do about each.",
}
"""What each list holds, by its name, which is also the module that makes it."""


def get_catalogue(name: str) -> Catalogue:
    """Return a list by its name, and import only what it needs.

    Raises:
        UsageError: there is no such list.
    """
    if name not in LISTS:
        raise UsageError(f"there is no list '{name}'. {did_you_mean(name, LISTS)}")
    found: Catalogue = import_module(f"{__name__}.{name}").CATALOGUE
    return found


__all__ = ["LISTS", "Catalogue", "get_catalogue"]

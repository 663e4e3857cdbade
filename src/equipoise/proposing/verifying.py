"""Whether the files can be read as a proposal says; what cannot is taken out of it, or told."""

from collections.abc import Callable

from equipoise.errors import EquipoiseError

from .proposal import Proposal

VERIFIED_BYTES = 16_000_000
"""Bytes of all files together up to which they are read as a run reads them: `check` says the rest."""


def find_fault(proposal: Proposal) -> str:
    """Read the files as a run does, and return what is wrong; "" where nothing is."""
    from equipoise.data import load_table

    try:
        load_table(proposal.config())
    except EquipoiseError as error:
        return str(error)
    return ""


def find_faulty_tasks(proposal: Proposal, faults: Callable[[Proposal], str] = find_fault) -> dict[str, str]:
    """Return the tasks that cannot be learned even by themselves, with what is wrong.

    Args:
        proposal: a proposal that has a fault.
        faults: says what is wrong with a proposal.
    """
    found = {}
    for task in proposal.tasks:
        alone = Proposal(
            [source for source in proposal.sources if source.name == task.keys["source"]],
            [task],
            settings=proposal.settings,
            folder=proposal.folder,
        )
        if fault := faults(alone):
            found[task.name] = fault.splitlines()[0]
    return found

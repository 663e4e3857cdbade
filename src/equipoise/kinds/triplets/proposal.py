"""What triplets suggests for columns: lists of opinions, each as term, opinion and polarity."""

from collections.abc import Sequence

from ..listing_proposal import read_listed
from ..suggestions import LabelColumn, Suggestion
from .task import Triplets


def propose(columns: Sequence[LabelColumn], kind: type[Triplets] = Triplets) -> list[Suggestion]:
    """Suggest opinions where cells hold lists of objects with a kind's fields.

    Args:
        columns: the columns of a file.
        kind: the kind.
    """
    found = []
    for column in columns:
        listed = read_listed(kind, column)
        if listed is not None and listed.items:
            why = f"lists of {', '.join(kind.fields)}{listed.remark}"
            found.append(Suggestion((column.name,), listed.keys, 0.97, why))
    return found

"""What quads suggests for columns: lists of opinions with a category."""

from collections.abc import Sequence

from ..suggestions import LabelColumn, Suggestion
from ..triplets.proposal import propose as propose_opinions
from .task import Quads


def propose(columns: Sequence[LabelColumn]) -> list[Suggestion]:
    """Suggest opinions with a category where cells hold lists of such objects."""
    return propose_opinions(columns, Quads)

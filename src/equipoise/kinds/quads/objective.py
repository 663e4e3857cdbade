"""The objective of quads."""

from ..triplets.objective import TripletsObjective


class QuadsObjective(TripletsObjective):
    """As that of triplets, with a row and a column for what is implicit, and with categories."""

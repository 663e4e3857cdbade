"""The analysis of quads."""

from ..list_analysis import ListAnalysis


class QuadsAnalysis(ListAnalysis):
    """What is known of opinions with a category."""

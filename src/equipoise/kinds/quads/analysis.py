"""The analysis of quads."""

from ..opinion_analysis import OpinionAnalysis


class QuadsAnalysis(OpinionAnalysis):
    """What is known of opinions with a category."""

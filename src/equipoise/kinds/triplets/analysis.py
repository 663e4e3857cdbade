"""The analysis of triplets."""

from ..opinion_analysis import OpinionAnalysis


class TripletsAnalysis(OpinionAnalysis):
    """What is known of opinions as term, words and polarity."""

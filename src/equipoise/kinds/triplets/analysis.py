"""The analysis of triplets."""

from ..list_analysis import ListAnalysis


class TripletsAnalysis(ListAnalysis):
    """What is known of opinions as term, words and polarity."""

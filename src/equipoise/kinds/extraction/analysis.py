"""The analysis of extraction."""

from ..list_analysis import ListAnalysis


class ExtractionAnalysis(ListAnalysis):
    """What is known of terms that texts mention."""

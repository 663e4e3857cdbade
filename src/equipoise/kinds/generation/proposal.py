"""What generation suggests for columns: texts of their own, such as titles, for a language model to write."""

from collections.abc import Sequence

from ..suggestions import LabelColumn, Suggestion

_CALLED = (
    *("title", "summary", "headline", "subject", "response", "reply", "answer", "translation", "explanation", "reason"),
    *("rationale", "target_text", "output", "completion", "abstract", "highlight"),
)
_LEAST_DIFFERENT = 0.3
_TOKENS_A_WORD = 1.6


def propose(columns: Sequence[LabelColumn]) -> list[Suggestion]:
    """Suggest a text to write where a column holds texts that hardly repeat."""
    return [suggestion for column in columns if (suggestion := _propose(column)) is not None]


def _propose(column: LabelColumn) -> Suggestion | None:
    cells = column.filled
    if not cells or not all(isinstance(cell, str) for cell in cells) or not column.is_called(_CALLED):
        return None
    if column.mean_words < 1.5 or column.share_different < _LEAST_DIFFERENT:
        return None
    lengths = sorted(len(cell.split()) for cell in cells)
    longest = lengths[int(0.95 * (len(lengths) - 1))]
    most = 16 * (1 + int(longest * _TOKENS_A_WORD) // 16)
    needs = "model: smollm2-135m, or another language model, since encoders cannot write"
    return Suggestion((column.name,), {"max_new_tokens": most}, 0.4, "a text to write", needs=needs)

"""The tokens that a backbone has embeddings for."""

from datasets import Dataset
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from equipoise.data import FlatRows
from equipoise.errors import ModelError

_TOKENS = ("input_ids", "tokens:", "prompt:")
"""Columns of encoded rows that hold tokens begin so."""


def check_tokens(backbone: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, rows: Dataset | None = None) -> None:
    """Refuse tokens that a backbone has no embedding for, as after `add_tokens` without `resize_token_embeddings`.

    Args:
        backbone: the backbone.
        tokenizer: its tokenizer.
        rows: encoded rows; None checks the token that pads.

    Raises:
        ModelError: there is such a token.
    """
    weight = getattr(_embeddings(backbone), "weight", None)
    if weight is None:
        return
    found = tokenizer.pad_token_id or 0 if rows is None else _highest_token(rows)
    size, known = weight.shape[0], len(tokenizer)
    if found >= size:
        raise ModelError(
            f"model: its tokenizer has {known} tokens, but the embeddings of {type(backbone).__name__} "
            f"({backbone.config.model_type}) have {size} rows, and {tokenizer.convert_ids_to_tokens(found)!r} is token "
            f"{found}. Load the model with transformers, call resize_token_embeddings({max(known, found + 1)}) and "
            "save it; or take the tokenizer that belongs to it."
        )


def _embeddings(backbone: PreTrainedModel) -> object:
    try:
        return backbone.get_input_embeddings()
    except NotImplementedError:  # a model that reads characters has none
        return None


def _highest_token(rows: Dataset) -> int:
    columns = [name for name in rows.column_names if name.startswith(_TOKENS)]
    flat = FlatRows(rows)
    return max((int(flat.column(name).values.max(initial=-1)) for name in columns), default=-1)

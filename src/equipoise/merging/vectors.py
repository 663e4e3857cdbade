"""Task vectors: what experts learnt, as tensors."""

from collections.abc import Sequence

from transformers import AutoTokenizer, PreTrainedTokenizerBase

from equipoise.errors import ModelError
from equipoise.modeling import SAFE, quiet_transformers
from equipoise.progress import progress

from .adapters import read_adapter
from .base import Base
from .checkpoints import read_checkpoint
from .experts import Expert
from .vector import Vector


def read_vectors(experts: Sequence[Expert], base: Base) -> dict[str, Vector]:
    """Read what each expert learnt.

    Of an adapter it is what peft itself folds in, so that every adapter that can be folded is accepted. Every tensor of
    an expert's files is in its vector, or beside it as what it is; a tensor without a place is refused.

    Args:
        experts: the experts.
        base: their base; it is as before when this returns.

    Returns:
        A vector for each expert, by its name.

    Raises:
        ModelError: an expert was not tuned from this base, its vocabulary is another one, its weights cannot be read,
            or its adapter cannot be folded in; or a tensor has no place in the base, or holds infinities or NaN.
    """
    vectors = {}
    with progress("Reading experts", len(experts), "expert") as bar:
        for expert in experts:
            _check_tokenizer(expert, base)
            vectors[expert.name] = read_adapter(expert, base) if expert.is_adapter else read_checkpoint(expert, base)
            if bar is not None:
                bar.advance()
    return vectors


def _check_tokenizer(expert: Expert, base: Base) -> None:
    """Make sure that an expert reads texts as its base does."""
    if not any((expert.weights / name).is_file() for name in ("tokenizer.json", "tokenizer_config.json")):
        return
    try:
        with quiet_transformers():
            own = AutoTokenizer.from_pretrained(str(expert.weights), local_files_only=True, **SAFE)
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(f"{expert.folder}: its tokenizer cannot be read ({error}); copy it again.") from None
    if reason := _difference(own, base.tokenizer):
        raise ModelError(
            f"{expert.folder}: its tokenizer is not that of '{base.name}': {reason}; merge experts that share one."
        )


def _difference(own: PreTrainedTokenizerBase, expected: PreTrainedTokenizerBase) -> str:
    """Say how two tokenizers differ; "" where they do not."""
    ids, wanted = own.get_vocab(), expected.get_vocab()
    if ids == wanted:
        return ""
    if extra := sorted(ids.keys() - wanted.keys()):
        return f"it has {len(extra)} tokens more, such as {extra[0]!r}"
    if lacking := sorted(wanted.keys() - ids.keys()):
        return f"it lacks {len(lacking)} tokens, such as {lacking[0]!r}"
    moved = min(token for token in ids if ids[token] != wanted[token])
    return f"{moved!r} is token {ids[moved]}, expected {wanted[moved]}"

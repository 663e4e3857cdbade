"""Words that stand for nothing, as texts and as classes."""

_ONE_WORD = (
    "n/a na n.a. #n/a #na null none nil nan - -- --- ? ?? . .. ... … [deleted] [removed] tbd todo undefined missing "
    "unknown unlabeled unlabelled #value! #ref! #name?"
)
_SEVERAL = {"no text", "not available", "not applicable", "no review", "no label", "lorem ipsum"}
_WORDS = {*_ONE_WORD.split(), *_SEVERAL}
_LONGEST = max(map(len, _WORDS))


def is_placeholder(text: str) -> bool:
    """Whether a text, or the name of a class, is a word for nothing."""
    bare = text.strip()
    return len(bare) <= _LONGEST and bare.casefold() in _WORDS

"""What kinds that give each row one class of several check in the run file."""

from collections.abc import Mapping, Sequence


def find_classes_problem(classes: Sequence[str] | None) -> str:
    """Say what is wrong with the key `classes`; "" if nothing is."""
    if classes is None or len(set(classes)) >= max(2, len(classes)):
        return ""
    return f"'classes' is {list(classes)}, expected two or more different names"


def find_words_problem(verbalize: Mapping[str, str] | None, is_prompted: bool) -> str:
    """Say what is wrong with the key `verbalize`; "" if nothing is.

    Args:
        verbalize: by class what the language model is to answer.
        is_prompted: whether a language model is asked.
    """
    if verbalize is not None and not is_prompted:
        return "'verbalize' goes with format: prompt, found format: head"
    for name, words in (verbalize or {}).items():
        if not words.strip():
            return f"'verbalize' gives the class '{name}' no words, expected some"
    return ""

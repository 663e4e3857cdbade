"""Metrics of generated texts, row by row."""

import re
from functools import cache, lru_cache, partial
from typing import Any

import numpy as np
import numpy.typing as npt

from ..metrics import mean_metric

_ROUGES = ("rouge1", "rouge2", "rougeL")
_WORD = re.compile(r"\w+")


def rouge(kind: str, targets: npt.NDArray[Any], outputs: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Return the ROUGE F-measure of each output (Lin 2004), by the package `rouge-score` with Porter's stemmer.

    Its words are runs of a-z and 0-9 after lower-casing: a text in another script has none, and scores 0.

    Args:
        kind: "rouge1", "rouge2" or "rougeL".
        targets: the texts to reach, shape (n,).
        outputs: the texts written, shape (n,).
    """
    place = _ROUGES.index(kind)
    return np.array([_score(str(a), str(b))[place] for a, b in zip(targets, outputs, strict=True)], dtype=np.float64)


def empty(texts: npt.NDArray[Any], outputs: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Return 1 for each output without a word, else 0 (our design)."""
    return np.array([not _words(output) for output in outputs], dtype=np.float64)


def copied(texts: npt.NDArray[Any], outputs: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Return 1 for each output whose words stand in the input one after the other, else 0 (our design).

    Case and punctuation do not count; an output without a word is not copied.
    """
    return np.array([_stands_in(a, b) for a, b in zip(texts, outputs, strict=True)], dtype=np.float64)


def _stands_in(text: str, output: str) -> bool:
    words = _words(output)
    return bool(words) and f" {' '.join(words)} " in f" {' '.join(_words(text))} "


def _words(text: str) -> list[str]:
    return _WORD.findall(str(text).casefold())


@lru_cache(maxsize=2**16)
def _score(target: str, output: str) -> tuple[float, ...]:
    # All three at once, and once for metrics, subsets, intervals and examples.
    scores = _scorer().score(target, output)
    return tuple(scores[kind].fmeasure for kind in _ROUGES)


@cache
def _scorer() -> Any:
    # Here, because it takes seconds to import.
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(_ROUGES, use_stemmer=True)


METRICS = {
    "rouge_l": mean_metric("ROUGE-L", True, partial(rouge, "rougeL")),
    "rouge_1": mean_metric("ROUGE-1", True, partial(rouge, "rouge1")),
    "rouge_2": mean_metric("ROUGE-2", True, partial(rouge, "rouge2")),
    "empty": mean_metric("empty outputs", False, empty),
    "copied": mean_metric("copied outputs", False, copied),
}

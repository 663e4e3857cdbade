"""The first tokens of texts, however long the texts are."""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from transformers import PreTrainedTokenizerBase

_CHARACTERS = 300_000
"""Most characters that are tokenized at a time, if no text is longer by itself."""
_TEXTS = 1000
_PER_TOKEN = 16
"""Characters that are read for each token wanted, to begin with."""
_LEAST = 4096
_BETWEEN_WORDS = re.compile(r"[A-Za-z] (?=[A-Za-z])")
_TOUCHES_A_WORD = re.compile(r"[A-Za-z]\s|\s[A-Za-z]")
_LOCAL_NORMALIZERS = {"BertNormalizer", "Lowercase", "NFC", "NFD", "NFKC", "NFKD", "Prepend", "Strip", "StripAccents"}
_LOCAL_NORMALIZERS |= {"Nmt", "Precompiled"}
_LOCAL_SPLITTERS = {"ByteLevel", "Digits", "Punctuation"}
_WORD_SPLITTERS = {"BertPreTokenizer", "Whitespace", "WhitespaceSplit"}
_WORD_PATTERNS = {
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|"
    + numbers
    + "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
    for numbers in ("\\p{N}", "\\p{N}{1,3}")
}
"""Those of Qwen2 and Llama 3; that of GPT-2 is built in (ByteLevel)."""


class Beginnings:
    """Tokenises texts without special tokens, at most so many tokens of each.

    What it returns is the beginning of what the whole text would give. A long text is first cut between two words,
    where the tokenizer's parts show that no token depends on what lies behind; else it is read whole. A bounded number
    of characters is tokenized at a time.

    Args:
        tokenizer: the backbone's tokenizer.
        most: most tokens of a text; None is all.
        options: further options of the tokenizer.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, most: int | None, **options: Any) -> None:
        self._tokenizer = tokenizer
        self.most = most
        self._options = options
        self._cuts = most is not None and reads_word_by_word(tokenizer)

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Return each text's first tokens; as many as are asked for wherever there are as many."""
        begun = [self._cut(text, 1) for text in texts]
        found: list[list[int]] = []
        for batch in _batches(begun):
            found += [tokens[: self.most] for tokens in self._call(batch)]
        if self.most is not None:
            for row, text in enumerate(texts):
                times = 1
                while len(found[row]) < self.most and len(begun[row]) < len(text):
                    times *= 4
                    begun[row] = self._cut(text, times)
                    found[row] = self._call([begun[row]])[0][: self.most]
        return found

    def count(self, text: str) -> int:
        """Return how many tokens the whole text has."""
        return len(self._call([text])[0])

    def _cut(self, text: str, times: int) -> str:
        if not self._cuts or self.most is None:
            return text
        place = _BETWEEN_WORDS.search(text, max(_LEAST, _PER_TOKEN * self.most) * times)
        return text if place is None else text[: place.start() + 1]

    def _call(self, texts: Sequence[str]) -> list[list[int]]:
        if not texts:
            return []
        options = {"add_special_tokens": False, "return_attention_mask": False, "verbose": False, **self._options}
        return self._tokenizer(list(texts), **options)["input_ids"]


def _batches(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    start, characters = 0, 0
    for end, text in enumerate(texts):
        if end > start and (characters + len(text) > _CHARACTERS or end - start == _TEXTS):
            yield texts[start:end]
            start, characters = end, 0
        characters += len(text)
    if start < len(texts):
        yield texts[start:]


def reads_word_by_word(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Whether a blank between two Latin letters always parts tokens, and nothing before it depends on what follows.

    It is read off the parts of the tokenizer; one with a part that is not known counts as one that does not.
    """
    if not tokenizer.is_fast:
        return False
    parts = json.loads(tokenizer.backend_tokenizer.to_str())
    if any(_TOUCHES_A_WORD.search(token["content"]) for token in parts["added_tokens"]):
        return False
    if parts["model"].get("dropout"):
        return False
    splitters = _flat(parts["pre_tokenizer"], "pretokenizers")
    return (
        all(_is_local(part) for part in _flat(parts["normalizer"], "normalizers"))
        and all(part["type"] in _LOCAL_SPLITTERS or _splits_words(part) for part in splitters)
        and any(_splits_words(part) for part in splitters)
    )


def _flat(part: dict[str, Any] | None, key: str) -> list[dict[str, Any]]:
    if part is None:
        return []
    return [one for inner in part[key] for one in _flat(inner, key)] if part["type"] == "Sequence" else [part]


def _is_local(normalizer: dict[str, Any]) -> bool:
    if normalizer["type"] == "Replace":
        replaced = normalizer["pattern"].get("String")
        # Of several blanks, or without any; not of a blank and letters.
        return normalizer["pattern"].get("Regex") == " {2,}" or (
            replaced is not None and (replaced.isspace() or not re.search(r"\s", replaced))
        )
    return normalizer["type"] in _LOCAL_NORMALIZERS


def _splits_words(splitter: dict[str, Any]) -> bool:
    kind = splitter["type"]
    if kind == "ByteLevel":
        return splitter["use_regex"]
    if kind == "Metaspace":
        return splitter.get("split", True)
    if kind == "Split":
        return splitter["pattern"].get("Regex") in _WORD_PATTERNS and not splitter["invert"]
    return kind in _WORD_SPLITTERS

"""The first tokens of texts, however long the texts are."""

import json
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from equipoise.errors import ModelError

from .tokenizer_facts import find_once
from .tokens import Tokens, place_tokens

if TYPE_CHECKING:
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
        offsets: tell where the tokens stand in the text, which only fast tokenizers do.
        options: further options of the tokenizer.

    Raises:
        ModelError: the tokenizer cannot tell where its tokens stand.
    """

    def __init__(
        self, tokenizer: "PreTrainedTokenizerBase", most: int | None, *, offsets: bool = False, **options: Any
    ) -> None:
        if offsets and not tokenizer.is_fast:
            raise ModelError(
                f"model: its tokenizer ({type(tokenizer).__name__}) does not tell where its tokens stand in a text, "
                "which tasks that mark parts of a text need; choose a backbone with a fast tokenizer (one with a "
                "tokenizer.json), such as minilm."
            )
        self._tokenizer = tokenizer
        self.most = most
        self._offsets = offsets
        self._options = options
        self._cuts = most is not None and find_once(tokenizer, reads_word_by_word)

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the ids of each text's first tokens; as many as are asked for wherever there are as many."""
        return [tokens.ids for tokens in self.read(texts)]

    def read(self, texts: Sequence[str]) -> list[Tokens]:
        """Return each text's first tokens; as many as are asked for wherever there are as many."""
        begun = [self._cut(text, 1) for text in texts]
        found: list[Tokens] = []
        for batch in _batches(begun):
            found += self._call(batch)
        if self.most is not None:
            for row, text in enumerate(texts):
                times = 1
                while len(found[row].ids) < self.most and len(begun[row]) < len(text):
                    times *= 4
                    begun[row] = self._cut(text, times)
                    found[row] = self._call([begun[row]])[0]
        return found

    def count(self, text: str) -> int:
        """Return how many tokens the whole text has."""
        options = self._call_options | {"return_offsets_mapping": False}
        return len(self._tokenizer([text], **options)["input_ids"][0])

    def _cut(self, text: str, times: int) -> str:
        if not self._cuts or self.most is None:
            return text
        place = _BETWEEN_WORDS.search(text, max(_LEAST, _PER_TOKEN * self.most) * times)
        return text if place is None else text[: place.start() + 1]

    @property
    def _call_options(self) -> dict[str, Any]:
        return {
            "add_special_tokens": False,
            "return_attention_mask": False,
            "return_offsets_mapping": self._offsets,
            "verbose": False,
            **self._options,
        }

    def _call(self, texts: Sequence[str]) -> list[Tokens]:
        """Return the first tokens of texts that are begun."""
        if not texts:
            return []
        encoding = self._tokenizer(list(texts), **self._call_options)
        if not self._offsets:
            return [Tokens(ids[: self.most], []) for ids in encoding["input_ids"]]
        placed = zip(texts, encoding["input_ids"], encoding["offset_mapping"], strict=True)
        return [Tokens(ids, place_tokens(text, spans)).part(0, self.most or len(ids)) for text, ids, spans in placed]


def _batches(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    start, characters = 0, 0
    for end, text in enumerate(texts):
        if end > start and (characters + len(text) > _CHARACTERS or end - start == _TEXTS):
            yield texts[start:end]
            start, characters = end, 0
        characters += len(text)
    if start < len(texts):
        yield texts[start:]


def reads_word_by_word(tokenizer: "PreTrainedTokenizerBase") -> bool:
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

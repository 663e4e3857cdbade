"""A tokenizer without transformers."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field
from tokenizers import Tokenizer

from equipoise.errors import ModelError
from equipoise.predicting import DescriptionPart


class TokenizerFacts(DescriptionPart):
    """What a tokenizer's file does not say.

    Args:
        type_ids: whether the network reads which text a token belongs to.
        padding_side, pad_id, pad_type_id: how rows are padded.
        truncation_side: where texts that are too long are cut.
    """

    type_ids: bool
    padding_side: Literal["left", "right"]
    truncation_side: Literal["left", "right"]
    pad_id: int = Field(ge=0)
    pad_type_id: int = Field(ge=0)


class Encoded(dict[str, Any]):
    """What a tokenizer returns: "input_ids" and so on, of one text or of several.

    Args:
        columns: these.
        sequences: for each text which of its tokens belong to the text (0), to its pair (1), or to neither (None).
    """

    def __init__(self, columns: dict[str, Any], sequences: Sequence[list[int | None]]) -> None:
        super().__init__(columns)
        self._sequences = sequences

    def sequence_ids(self, row: int = 0) -> list[int | None]:
        """Return to which text each token of a row belongs."""
        return self._sequences[row]


class TextTokenizer:
    """Has what `equipoise.data.TextEncoder` needs of a fast tokenizer of transformers, and gives the same tokens.

    Args:
        tokenizer: as it is saved in a tokenizer.json.
        facts: what that file does not say.
    """

    is_fast = True

    def __init__(self, tokenizer: Tokenizer, facts: TokenizerFacts) -> None:
        self.backend_tokenizer = tokenizer
        self.truncation_side = facts.truncation_side
        self._type_ids = facts.type_ids
        tokenizer.no_padding()
        tokenizer.no_truncation()

    @classmethod
    def read(cls, path: Path, facts: TokenizerFacts) -> "TextTokenizer":
        """Read a tokenizer.json.

        Raises:
            ModelError: it cannot be read.
        """
        try:
            return cls(Tokenizer.from_file(str(path)), facts)
        except Exception as error:  # the library raises this class
            raise ModelError(f"{path}: not a readable tokenizer ({error}); export the model again.") from None

    def __len__(self) -> int:
        """Return how many tokens there are, added ones included."""
        return int(self.backend_tokenizer.get_vocab_size())

    def num_special_tokens_to_add(self, pair: bool = False) -> int:
        """Return how many special tokens are put around a text, or around a text and its pair."""
        return int(self.backend_tokenizer.num_special_tokens_to_add(pair))

    def encode(self, text: str, *, add_special_tokens: bool = True) -> list[int]:
        """Return the tokens of a text."""
        return list(self.backend_tokenizer.encode(text, add_special_tokens=add_special_tokens).ids)

    def __call__(
        self,
        texts: str | Sequence[str],
        pairs: str | Sequence[str] | None = None,
        *,
        add_special_tokens: bool = True,
        return_offsets_mapping: bool = False,
        truncation: str | None = None,
        max_length: int | None = None,
        **unused: Any,
    ) -> Encoded:
        """Encode a text (and its pair), or several.

        Args:
            texts: the text or texts.
            pairs: the pair, or one for each text.
            add_special_tokens: put special tokens around them.
            return_offsets_mapping: say where the tokens stand in their text.
            truncation: cut what is too long: "only_first" or "longest_first".
            max_length: most tokens, where that is asked for.
            unused: what other tokenizers can be asked for.
        """
        if isinstance(texts, str):
            second = None if pairs is None else [str(pairs)]
            several = self._encode([texts], second, add_special_tokens, return_offsets_mapping)
            return Encoded({name: rows[0] for name, rows in several.items()}, [several.sequence_ids()])
        if truncation is None or max_length is None:
            return self._encode(texts, pairs, add_special_tokens, return_offsets_mapping)
        self.backend_tokenizer.enable_truncation(max_length, strategy=truncation, direction=self.truncation_side)
        try:
            return self._encode(texts, pairs, add_special_tokens, return_offsets_mapping)
        finally:
            self.backend_tokenizer.no_truncation()

    def _encode(self, texts: Sequence[str], pairs: Iterable[str] | None, special: bool, offsets: bool) -> Encoded:
        batch: list[Any] = list(texts) if pairs is None else list(zip(texts, pairs, strict=True))
        found = self.backend_tokenizer.encode_batch(batch, add_special_tokens=special)
        columns: dict[str, Any] = {"input_ids": [row.ids for row in found]}
        if self._type_ids:
            columns["token_type_ids"] = [row.type_ids for row in found]
        if offsets:
            columns["offset_mapping"] = [row.offsets for row in found]
        return Encoded(columns, [row.sequence_ids for row in found])

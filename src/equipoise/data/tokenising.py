"""From texts to token ids."""

from typing import Any

import datasets
from transformers import PreTrainedTokenizerBase

_BATCH = 1000


def tokenise(
    dataset: datasets.Dataset, tokenizer: PreTrainedTokenizerBase, max_length: int
) -> tuple[datasets.Dataset, int]:
    """Turn each row's text (and pair) into token ids.

    A text that is too long is cut at its end and its pair is kept whole, unless the pair alone does not fit:
    then tokens go from the longer of the two, one by one.

    Args:
        dataset: rows with the columns "text" and "pair" (None: one text).
        tokenizer: the backbone's tokenizer.
        max_length: most tokens a row may have, special tokens included.

    Returns:
        The dataset with the further columns "index" (the row's number from 0), "input_ids", "token_type_ids"
        if the tokenizer makes them, and "length" (tokens); and how many rows were cut.
    """
    texts, pairs = dataset["text"][:], dataset["pair"][:]
    encoded: list[dict[str, list[int]]] = [{}] * len(texts)
    cut = 0
    alone = [index for index, pair in enumerate(pairs) if pair is None]
    paired = [index for index, pair in enumerate(pairs) if pair is not None]
    for rows in (alone, paired):
        for start in range(0, len(rows), _BATCH):
            batch = rows[start : start + _BATCH]
            found = _encode(
                tokenizer,
                [texts[index] for index in batch],
                [pairs[index] for index in batch] if rows is paired else None,
                max_length,
            )
            for index, (row, was_cut) in zip(batch, found, strict=True):
                encoded[index] = row
                cut += was_cut
    columns: dict[str, list[Any]] = {"index": list(range(len(texts)))}
    for name in encoded[0] if encoded else ("input_ids",):
        columns[name] = [row[name] for row in encoded]
    columns["length"] = [len(ids) for ids in columns["input_ids"]]
    return datasets.concatenate_datasets([dataset, datasets.Dataset.from_dict(columns)], axis=1), cut


def _encode(
    tokenizer: PreTrainedTokenizerBase, texts: list[str], pairs: list[str] | None, max_length: int
) -> list[tuple[dict[str, list[int]], bool]]:
    """Return each row's model inputs, and whether it was cut."""
    whole = _call(tokenizer, texts, pairs)
    results = [(row, False) for row in whole]
    room = max_length - tokenizer.num_special_tokens_to_add(pair=pairs is not None)
    by_strategy: dict[str, list[int]] = {"only_first": [], "longest_first": []}
    for index, row in enumerate(whole):
        if len(row["input_ids"]) > max_length:
            pair_length = 0 if pairs is None else len(tokenizer.encode(pairs[index], add_special_tokens=False))
            # The tokenizer must leave at least one token of the text.
            by_strategy["only_first" if pair_length < room else "longest_first"].append(index)
    for strategy, rows in by_strategy.items():
        if rows:
            shorter = _call(
                tokenizer,
                [texts[index] for index in rows],
                None if pairs is None else [pairs[index] for index in rows],
                truncation=strategy,
                max_length=max_length,
            )
            for index, row in zip(rows, shorter, strict=True):
                results[index] = (row, True)
    return results


def _call(
    tokenizer: PreTrainedTokenizerBase, texts: list[str], pairs: list[str] | None, **options: Any
) -> list[dict[str, list[int]]]:
    # The attention mask is all ones until rows are padded; the collator makes it then.
    encoding = tokenizer(texts, pairs, return_attention_mask=False, verbose=False, **options)
    names = list(encoding)
    return [dict(zip(names, row, strict=True)) for row in zip(*encoding.values(), strict=True)]

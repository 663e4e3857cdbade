"""Batches are those that plain Python makes of the same rows, to the last bit."""

import itertools
import json
from types import SimpleNamespace

import datasets
import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from equipoise.data import Collator, FlatRows, tokenize
from equipoise.kinds import Classification, Extraction, Generation, Multilabel, Regression

COMMON = ("s", "text", None, "label")
TASKS = {
    "score": Regression("score", *COMMON, "pearson"),
    "label": Classification("label", *COMMON, "macro_f1", ("a", "b")),
    "emotions": Multilabel("emotions", *COMMON, "macro_f1", ("x", "y", "z")),
    "terms": Extraction("terms", *COMMON, "extraction_f1", ("x",)),
}
ASKED = {
    "label": TASKS["label"],
    "asked": Classification("asked", *COMMON, "macro_f1", ("a", "b"), format="prompt", template="{text}"),
    "title": Generation("title", *COMMON, "rougeL", format="prompt", template="{text}"),
    "terms": TASKS["terms"],
}
LABELS = {
    "score": st.floats(-5, 5),
    "label": st.integers(0, 1),
    "emotions": st.lists(st.integers(0, 1), min_size=3, max_size=3),
    "asked": st.integers(0, 1),
    "title": st.sampled_from(["so", "bad"]),
}
TYPES = {
    "label:emotions": pa.list_(pa.int8()),
    "label:score": pa.float64(),
    **dict.fromkeys(("label:label", "label:asked"), pa.int64()),
    **dict.fromkeys(("label:terms", "label:title", "text"), pa.string()),
    "token_type_ids": pa.list_(pa.int8()),
    "input_ids": pa.list_(pa.int32()),
}


@st.composite
def rows(draw, trees):
    """Some rows as `tokenize` or `PromptEncoder.encode` makes them, with words of one letter."""
    found = []
    for number in range(draw(st.integers(1, 8))):
        words = draw(st.integers(0, 5))
        size = words + draw(st.integers(0, 3))
        ids = draw(st.lists(st.integers(0, 2**31 - 1), min_size=size, max_size=size))
        row = {"index": number, "input_ids": ids, "text": " ".join("w" * words)}
        offsets = [place for word in range(words) for place in (2 * word, 2 * word + 1)]
        row |= {"text_start": draw(st.integers(0, size - words)), "offsets": offsets}
        tasks = ASKED if trees else TASKS
        for name in tasks:
            row[f"label:{name}"] = draw(st.none() | LABELS.get(name, st.just(write_terms(words))))
        if trees:
            row |= {"position_ids": list(range(size)), "ends": [size] * size, "text_length": words}
            for name in ("asked", "title"):
                count = 0 if row[f"label:{name}"] is None or not size else draw(st.integers(0, 4))
                places = st.lists(st.integers(0, max(0, size - 1)), min_size=count, max_size=count)
                row |= {f"{part}:{name}": draw(places) for part in ("positions", "tokens", "slots")}
        else:
            row["token_type_ids"] = draw(st.lists(st.integers(0, 1), min_size=size, max_size=size))
        found.append(row)
    return found


def write_terms(words):
    item = {"term": "w", "start": 0, "end": 1, "polarity": "x"}
    return json.dumps([item] if words else [])


def make_table(items, cuts):
    """The rows as a table in pieces, behind a row that does not belong to it."""
    columns = {name: pa.array([items[0][name], *(item[name] for item in items)], TYPES.get(name)) for name in items[0]}
    table = pa.table(columns).slice(1)
    bounds = sorted({0, len(items), *(cut % len(items) for cut in cuts)})
    return pa.concat_tables([table.slice(a, b - a) for a, b in itertools.pairwise(bounds)])


def collate_plainly(items, tokenizer, tasks):
    """What a batch is, one row after the other."""
    width = max(len(item["input_ids"]) for item in items)
    is_tree = "ends" in items[0]
    starts = [0 if is_tree or tokenizer.padding_side == "right" else width - len(item["input_ids"]) for item in items]

    def pad(name, fill):
        return torch.tensor(
            [
                [*fill[:start], *item[name], *fill[start + len(item[name]) :]]
                for start, item in zip(starts, items, strict=True)
            ],
            dtype=torch.long,
        ).reshape(len(items), width)

    lengths = [len(item["input_ids"]) for item in items]
    inputs = {"input_ids": pad("input_ids", [tokenizer.pad_token_id] * width)}
    if is_tree:
        inputs |= {"position_ids": pad("position_ids", [0] * width), "ends": pad("ends", list(range(1, width + 1)))}
        inputs |= {
            "length": torch.tensor(lengths),
            "text_length": torch.tensor([item["text_length"] for item in items]),
        }
    else:
        inputs["token_type_ids"] = pad("token_type_ids", [tokenizer.pad_token_type_id] * width)
        ones = [
            [1 if start <= place < start + size else 0 for place in range(width)]
            for start, size in zip(starts, lengths, strict=True)
        ]
        inputs["attention_mask"] = torch.tensor(ones, dtype=torch.long).reshape(len(items), width)
    owners, targets, scored = {}, {}, {}
    for name, task in tasks.items():
        labels = [item[f"label:{name}"] for item in items]
        kept = [row for row, label in enumerate(labels) if label is not None]
        owners[name] = kept
        if task.is_prompted:
            answers = max(1, task.answers)
            scored[name] = {
                "positions": [row * width + place for row in kept for place in items[row][f"positions:{name}"]],
                "tokens": [token for row in kept for token in items[row][f"tokens:{name}"]],
                "slots": [
                    number * answers + slot for number, row in enumerate(kept) for slot in items[row][f"slots:{name}"]
                ],
            }
        if task.writes_text:
            owners[name] = [place // width for place in scored[name]["positions"]]
            targets[name] = torch.tensor(scored[name]["tokens"], dtype=torch.long)
        elif task.has_token_head:
            counts = [len(items[row]["offsets"]) // 2 for row in kept]
            first = [row * width + starts[row] + items[row]["text_start"] for row in kept]
            positions = [start + place for start, count in zip(first, counts, strict=True) for place in range(count)]
            scored[name] = {"positions": positions, "counts": counts}
            cells = [
                task.cell_targets(
                    labels[row], items[row]["text"], np.reshape(items[row]["offsets"], (-1, 2)).astype(int)
                )
                for row in kept
            ]
            owners[name] = [row for row, part in zip(kept, cells, strict=True) for _ in part]
            targets[name] = torch.tensor([cell for part in cells for cell in part], dtype=torch.long)
        else:
            of_type = torch.long if task.label_type == "int64" else torch.float32
            found = torch.tensor([labels[row] for row in kept], dtype=of_type)
            targets[name] = found.reshape(len(kept), *task.label_shape)
    return {
        "inputs": inputs,
        "rows": {name: torch.tensor(found, dtype=torch.long) for name, found in owners.items()},
        "targets": targets,
        "scored": {
            name: {part: torch.tensor(values, dtype=torch.long) for part, values in entry.items()}
            for name, entry in scored.items()
        },
        "index": torch.tensor([item["index"] for item in items]),
        "lengths": np.array(lengths),
    }


def assert_same(found, expected):
    assert list(found) == list(expected)
    for name, value in expected.items():
        if isinstance(value, dict):
            assert_same(found[name], value)
        elif name == "lengths":
            np.testing.assert_array_equal(found[name], value, strict=True)
        else:
            assert (found[name].dtype, found[name].shape) == (value.dtype, value.shape), name
            assert found[name].is_contiguous()
            assert torch.equal(found[name], value), name


@settings(deadline=None, max_examples=80)
@given(data=st.data())
def test_a_batch_is_what_plain_python_makes(data):
    trees = data.draw(st.booleans())
    side = data.draw(st.sampled_from(["left", "right"]))
    items, tasks = data.draw(rows(trees)), ASKED if trees else TASKS
    tokenizer = SimpleNamespace(padding_side=side, pad_token_id=7, pad_token_type_id=3)
    table = make_table(items, data.draw(st.lists(st.integers(0, 10), max_size=3)))
    chosen = data.draw(st.lists(st.integers(0, len(items) - 1), min_size=1, max_size=12))
    expected = collate_plainly([items[row] for row in chosen], tokenizer, tasks)
    collate = Collator(tokenizer, tasks)
    assert_same(collate(FlatRows(table).__getitems__(chosen)), expected)
    assert_same(collate([items[row] for row in chosen]), expected)


@pytest.mark.parametrize("windows", [False, True])
def test_tokenized_rows(tiny_model, windows):
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    texts = ["good film", "the best plot of all the films that we have seen so far", "bad"]
    columns = {"text": texts, "pair": [None, "actor", None], "label:score": [0.5, None, -0.25]}
    table, _ = tokenize(datasets.Dataset.from_dict(columns), tokenizer, 9, windows=windows)
    assert windows == (len(table) > 3)
    tasks = {"score": TASKS["score"]}
    for rows in (table, table.select([2, 0, 1])):
        batch = Collator(tokenizer, tasks)(FlatRows(rows).take(range(len(rows))))
        assert_same(batch, collate_plainly(rows.to_list(), tokenizer, tasks))


def test_missing_lists_may_have_numbers_behind_them():
    """Arrow says of a missing list only that it is missing."""
    values, offsets = pa.array([1, 2, 3], pa.int8()), pa.array([0, 1, 3], pa.int32())
    lists = pa.ListArray.from_arrays(offsets, values, mask=pa.array([False, True]))
    for column in (pa.chunked_array([lists]), pa.chunked_array([lists, lists])):
        batch = FlatRows(pa.table({"a": column})).take(range(len(column)))
        assert batch.lists("a")[0].tolist() == [1] * column.num_chunks
        assert batch.find("a").tolist() == [0, 2][: column.num_chunks]


def test_columns_in_one_piece_are_not_copied():
    numbers = pa.array([[1, 2], [3]], pa.list_(pa.int32()))
    column = FlatRows(pa.table({"a": numbers})).column("a")
    assert column.values.__array_interface__["data"][0] == numbers.values.buffers()[1].address


def test_columns_that_a_data_set_cuts_are_not_copied_either():
    """It gives all columns of a table the pieces of those that have the most."""
    texts = pa.chunked_array([["a"], ["b", "c"], ["d"], ["e", "f"]])
    lists = pa.array([[1, 2], None, [3], [], [4, 5], [6]], pa.list_(pa.int32()))
    numbers = pa.array([0.5, 1.5, 2.5, 3.5, 4.5, 5.5])
    data = datasets.Dataset(pa.table({"text": texts, "lists": lists, "numbers": numbers}))
    for first, last in ((0, 6), (1, 5)):
        rows = FlatRows(data.select(range(first, last)))
        assert rows.arrow("lists").num_chunks > 1
        batch = rows.take(range(last - first))
        assert batch.lists("lists")[0].tolist() == [n for one in lists[first:last].to_pylist() if one for n in one]
        assert batch.numbers("numbers").tolist() == numbers[first:last].to_pylist()
        assert rows.column("numbers").values.__array_interface__["data"][0] == numbers.buffers()[1].address + 8 * first
    whole = FlatRows(data.remove_columns("lists").add_column("lists", [[1]] * 6))
    assert whole.take([5, 0]).lists("lists")[0].tolist() == [1, 1]


def test_a_row_alone_is_a_dictionary():
    rows = FlatRows(pa.table({"index": [0, 1], "text": ["a", None]}))
    assert (len(rows), rows[1]) == (2, {"index": 1, "text": None})
    assert not rows.take([0]).has("label:x")
    assert rows.take([0]).find("label:x").size == 0

"""The benchmark of long documents trains all ways and says what they gain."""

import json
import random
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def long_documents(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import long_documents

    return long_documents


def write_reviews(folder):
    """Reviews whose last words alone say what they are."""
    draw = random.Random(0)
    folder.mkdir()
    for split, count in (("train", 60), ("dev", 20), ("test", 20)):
        rows = []
        for number in range(count):
            label = number % 2
            words = draw.choices(["film", "movie", "plot", "actor", "phone"], k=12)
            words += draw.choices([["bad", "awful", "worst"], ["good", "great", "best"]][label], k=12)
            rows.append({"text": " ".join([f"{split} {number}", *words]), "label": ["negative", "positive"][label]})
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return folder


def test_every_way_is_measured(long_documents, tiny_model, tmp_path, capsys):
    data = write_reviews(tmp_path / "data")
    options = ["--model", str(tiny_model), "--max-length", "12", "--seeds", "2", "--train-rows", "60"]
    long_documents.main(["--data", str(data), *options, "--scored-rows", "20"])
    lines = capsys.readouterr().out.splitlines()
    found = json.loads(lines[-1])
    assert [row["way"] for row in found["rows"]] == list(long_documents.WAYS)
    assert lines[0].startswith("train: 60 of 60 texts do not fit into 12 tokens and are read in ")
    cut, windows, both = found["rows"]
    assert cut["test_gain"] == [0.0, 0.0, 0.0]
    for row in (windows, both):
        assert row["test_gain"][0] == pytest.approx(row["test"][0] - cut["test"][0])
        assert 0 <= row["dev"][0] <= 1
        assert row["train_seconds"] > 0 < row["score_seconds"]

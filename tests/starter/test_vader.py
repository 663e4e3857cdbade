"""The conversion of the VADER corpus, on small files and on the real ones."""

import hashlib
import json
import statistics
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from equipoise.starter import _vader

NAMES = {
    "tweets": "tweets",
    "products": "amazonReviewSnippets",
    "films": "movieReviewSnippets",
    "editorials": "nytEditorialSnippets",
}


def test_rows_are_joined_by_id_and_entities_decoded(tmp_path: Path) -> None:
    for name in NAMES.values():
        (tmp_path / f"{name}_GroundTruth.txt").write_bytes(b"")
        (tmp_path / f"{name}_anonDataRatings.txt").write_bytes(b"")
    (tmp_path / "tweets_GroundTruth.txt").write_bytes(b"7\t1.5\t I &lt;3 R&amp;amp;B \xc2\xa31")
    (tmp_path / "tweets_anonDataRatings.txt").write_bytes(b"7\t1.5\t0.5\t[1, 2]")
    (tmp_path / "amazonReviewSnippets_GroundTruth.txt").write_bytes(b"1_1\t-0.5\tbad.\r\n1_2\t2\tgood.\r\n")
    (tmp_path / "amazonReviewSnippets_anonDataRatings.txt").write_bytes(
        b"\xef\xbb\xbf1_2\t2\t0\t[2]\r\n1_1\t-0.5\t1.5\t[-2, 1]\r\n"
    )
    _vader.convert(tmp_path)
    content = (tmp_path / "corpus.jsonl").read_bytes()
    assert b"\r" not in content
    keys = ["id", "domain", "document", "text", "score", "disagreement", "raters"]
    rows = [json.loads(line) for line in content.decode("utf-8").splitlines()]
    assert all(list(row) == keys for row in rows)
    assert [tuple(row.values()) for row in rows] == [
        ("tweets/7", "tweets", "tweets/7", "I <3 R&B £1", 1.5, 0.5, 2),
        ("products/1_1", "products", "products/1", "bad.", -0.5, 1.5, 2),
        ("products/1_2", "products", "products/1", "good.", 2.0, 0.0, 1),
    ]


@pytest.fixture(scope="module")
def rows(vader_corpus: Path) -> list[dict]:
    return [json.loads(line) for line in (vader_corpus / "corpus.jsonl").open(encoding="utf-8")]


@pytest.mark.starter
def test_the_corpus_is_whole(vader_corpus: Path, rows: list[dict]) -> None:
    digest = hashlib.sha256((vader_corpus / "corpus.jsonl").read_bytes()).hexdigest()
    assert digest == "d373f57001a909425fa0a8d608b347fc95b10b3d8cdb22d0d1306d20af4bafb3"
    count = Counter(row["domain"] for row in rows)
    assert count == {"tweets": 4200, "products": 3708, "films": 10605, "editorials": 5190}
    assert len({row["id"] for row in rows}) == 23703
    documents = Counter(document.partition("/")[0] for document in {row["document"] for row in rows})
    assert documents == {"tweets": 4200, "products": 300, "films": 10605, "editorials": 498}
    assert all(row["text"] and row["text"] == row["text"].strip() for row in rows)
    assert not [row["text"] for row in rows if "&amp" in row["text"] or "&lt" in row["text"]]
    assert min(row["score"] for row in rows) == -3.875
    assert max(row["score"] for row in rows) == pytest.approx(3.9412, abs=1e-4)
    assert min(row["disagreement"] for row in rows) == 0
    assert (min(row["raters"] for row in rows), max(row["raters"] for row in rows)) == (15, 99)


@pytest.mark.starter
def test_scores_and_disagreement_follow_from_the_ratings(vader_corpus: Path, rows: list[dict]) -> None:
    listed = {}
    for domain, name in NAMES.items():
        for line in (vader_corpus / f"{name}_anonDataRatings.txt").open(encoding="utf-8-sig"):
            number, *_, ratings = line.split("\t")
            listed[f"{domain}/{number}"] = json.loads(ratings)
    assert set(listed) == {row["id"] for row in rows}
    others: Counter[str] = Counter()
    for row in rows:
        ratings = listed[row["id"]]
        assert row["raters"] == len(ratings)
        assert row["disagreement"] == pytest.approx(statistics.pstdev(ratings), abs=1e-5)
        others[row["domain"]] += abs(row["score"] - statistics.fmean(ratings)) > 1e-6
    assert others == {"tweets": 199, "products": 0, "films": 0, "editorials": 0}


@pytest.mark.starter
def test_texts_and_scores_belong_together(rows: list[dict]) -> None:
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    lexicon = SentimentIntensityAnalyzer()
    for domain, expected in {"products": 0.590, "editorials": 0.503}.items():
        part = [row for row in rows if row["domain"] == domain]
        compound = [lexicon.polarity_scores(row["text"])["compound"] for row in part]
        assert np.corrcoef(compound, [row["score"] for row in part])[0, 1] == pytest.approx(expected, abs=2e-3)

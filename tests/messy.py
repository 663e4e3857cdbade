"""Messy spreadsheets, as people have them: written from rows that are clean.

`python tests/messy.py FOLDER` writes the folder `data` that docs/own_files.md begins with, from the starter corpus and
from rows that are made up here; with EQUIPOISE_DATA set, `--research` writes other sets of the field the same way.
"""

import argparse
import csv
import html
import json
import os
import random
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet

Row = dict[str, Any]
GOOD = ["good", "great", "fine", "lovely", "excellent", "wonderful", "très bon", "schön"]
BAD = ["bad", "awful", "poor", "dreadful", "terrible", "horrible", "zu teuer", "dégoûtant"]
THINGS = ["the film", "the café", "this phone", "the battery", "the price", "the service", "the Käse", "our hotel"]
SPELLINGS = {
    "positive": ("positive", "positive", "positive", "Positive", "positive ", "POS"),
    "negative": ("negative", "negative", "negative", "Negative", " negative", "NEG"),
}
FEELINGS = {True: ("joy", "trust", "surprise"), False: ("anger", "disgust", "sadness")}


def reviews(rows: int, seed: int = 0) -> Iterator[Row]:
    """Yield rows with a text, a score from -1 to 1, a polarity, stars, an author, feelings and aspects."""
    draw = random.Random(seed)
    for number in range(rows):
        good = draw.random() < 0.55
        thing = draw.choice(THINGS)
        words = " and ".join(draw.sample(GOOD if good else BAD, draw.randint(1, 2)))
        yield {
            "text": f"{thing.capitalize()} is {words} – number {number}",
            "score": round(draw.uniform(0.1, 1) * (1 if good else -1), 2),
            "polarity": "positive" if good else "negative",
            "stars": draw.choice([4, 5] if good else [1, 2]),
            "author": f"user {number % 60}",
            "feelings": draw.sample(FEELINGS[good], draw.randint(0, 2)),
            "aspects": [{"term": thing.capitalize(), "polarity": "positive" if good else "negative"}],
        }


def write_cells(
    path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]], encoding: str = "utf-8", **options: Any
) -> Path:
    """Write a delimited file as the `csv` module does."""
    with path.open("w", encoding=encoding, errors="replace", newline="") as file:
        table = csv.writer(file, **options)
        table.writerow(header)
        table.writerows(rows)
    return path


def write_lines(path: Path, records: Iterable[Row]) -> Path:
    """Write JSON lines."""
    path.write_text("".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records), encoding="utf-8")
    return path


def comma(number: float | None) -> str:
    """Write a number as half of Europe does; "n/a" for none."""
    return "n/a" if number is None else f"{number:.2f}".replace(".", ",")


def write_semicolons(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> Path:
    """Write an export of a spreadsheet: cp1252, semicolons, every cell in quotes, Windows line ends."""
    return write_cells(path, header, rows, encoding="cp1252", delimiter=";", quoting=csv.QUOTE_ALL)


def write_excel(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> Path:
    """Write what Excel calls CSV UTF-8: a byte order mark, and quotes where they are needed."""
    return write_cells(path, header, rows, encoding="utf-8-sig")


def spell(draw: random.Random, label: str) -> str:
    """Return a class in one of the spellings that a column typed by hand has."""
    return draw.choice(SPELLINGS.get(label, (label,)))


def write_ratings(path: Path, rows: Iterable[Row], seed: int = 0) -> Path:
    """Write rated texts of documents: cp1252, semicolons, decimal commas, HTML entities, cells without a value."""
    draw = random.Random(seed)
    cells = []
    for row in rows:
        text = html.escape(row["text"]) + draw.choice(["", "", "<br>", "&nbsp;"])
        score = None if draw.random() < 0.05 else row["score"]
        cells.append([row["id"], row["document"], text, comma(score)])
    return write_semicolons(path, ["Nr", "Document", "Text", "Score"], cells)


def write_survey(path: Path, rows: Iterable[Row], seed: int = 0) -> Path:
    """Write reviews as Excel does: cells with commas, quotes and line breaks, classes typed by hand, empty cells."""
    draw = random.Random(seed)
    cells = []
    for row in rows:
        text = f'{row["text"]}, "really"\nas I said' if draw.random() < 0.3 else row["text"]
        stars = "" if draw.random() < 0.1 else row["stars"]
        cells.append([text, spell(draw, row["polarity"]), stars, row["author"]])
    return write_excel(path, ["Review", "Opinion", "Stars", "Author"], cells)


def write_comments(path: Path, rows: Iterable[Row]) -> Path:
    """Write what a web service gives: nested JSON, with null where there is nothing."""
    return write_lines(
        path,
        (
            {
                "id": number,
                "comment": {"body": row["text"], "lang": "en"},
                "author": {"name": row["author"]},
                "annotations": {"labels": row["feelings"] if number % 9 else None, "raters": None},
            }
            for number, row in enumerate(rows)
        ),
    )


def write_aspects(path: Path, rows: Iterable[Row]) -> Path:
    """Write a table with nullable columns."""
    table = [
        {"sentence": row["text"], "aspects": row["aspects"] if number % 7 else None, "score": None}
        for number, row in enumerate(rows)
    ]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(table), path)
    return path


def write_folder(folder: Path, rated: Sequence[Row], rows: int = 400) -> Path:
    """Write the folder that docs/own_files.md begins with, and `new.csv` beside it.

    Args:
        folder: where `data` is written.
        rated: rows of the starter corpus.
        rows: rows of each of the other files.
    """
    data = folder / "data"
    data.mkdir()
    write_ratings(data / "ratings.csv", rated)
    write_survey(data / "survey.csv", reviews(rows, seed=1))
    write_comments(data / "comments.jsonl", ({**row, "text": f"So, {row['text']}"} for row in reviews(rows, seed=2)))
    write_aspects(data / "aspects.parquet", ({**row, "text": f"Well: {row['text']}"} for row in reviews(rows, seed=3)))
    new = [[1, "The Käse was great &amp; the café lovely."], [2, "Zu teuer – and the service is awful."]]
    write_semicolons(folder / "new.csv", ["Nr", "Text"], new)
    return data


def read_rated(rows: int) -> list[Row]:
    """Return about so many rows of the starter corpus, evenly drawn."""
    from equipoise import starter

    corpus = (starter.fetch("vader") / "corpus.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in corpus[:: max(1, len(corpus) // rows)]]


def write_research(folder: Path, source: Path, rows: int = 300) -> Path:
    """Write sets of the field as messy spreadsheets; they are read from `source`, and are nowhere else.

    Args:
        folder: where `data` is written.
        source: holds each set as `NAME/train.jsonl`.
        rows: rows of each.
    """

    def read(name: str) -> list[Row]:
        lines = (source / name / "train.jsonl").read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in random.Random(0).sample(lines, min(rows, len(lines)))]

    draw = random.Random(0)
    data = folder / "data"
    data.mkdir()
    cells = [[html.escape(row["text"]), row["target"], comma(row["score"])] for row in read("fin_headlines")]
    write_semicolons(data / "headlines.csv", ["Headline", "Company", "Sentiment"], cells)
    cells = [[row["text"], row["stars"], row["summary"]] for row in read("reviews_music")]
    write_excel(data / "music.csv", ["review", "stars", "title"], cells)
    cells = [
        [row["text"].replace("\t", " "), row["aspect"], spell(draw, row["label"])] for row in read("absa_laptop14")
    ]
    write_cells(data / "laptops.tsv", ["sentence", "aspect", "polarity"], cells, delimiter="\t")
    tweets = [{"tweet": {"text": row["text"]}, "user": None, "label": row["label"]} for row in read("tweet_emotion")]
    write_lines(data / "tweets.jsonl", tweets)
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(read("tweet_irony")), data / "irony.parquet")
    return data


def main() -> None:
    """Write a folder of messy files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, default=400)
    parser.add_argument("--research", action="store_true", help="sets from EQUIPOISE_DATA instead")
    options = parser.parse_args()
    if options.research:
        print(write_research(options.folder, Path(os.environ["EQUIPOISE_DATA"]), options.rows))
        return
    print(write_folder(options.folder, read_rated(3 * options.rows), options.rows))


if __name__ == "__main__":
    main()

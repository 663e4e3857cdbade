"""Clean data, and forty faults to plant in it."""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Row = dict[str, Any]
_WORDS = (
    "the a this that my our your every each some many few old new long short quiet loud warm cold early late simple "
    "strange familiar distant nearby morning evening winter summer garden kitchen window street village harbor river "
    "mountain forest station market library museum theater hospital school office factory teacher driver neighbor "
    "painter singer farmer doctor lawyer student visitor manager engineer journalist gardener sailor walked talked "
    "waited worked stayed returned arrived listened watched remembered forgot noticed explained described carried "
    "opened closed painted repaired cleaned borrowed offered promised visited slowly quickly quietly often seldom "
    "always never again together alone outside inside because although while before after until under over across "
    "between without during toward around behind letter basket bottle camera engine ladder mirror needle paper pencil "
    "pillow ribbon saddle ticket wallet blanket candle curtain hammer kettle lantern button bucket "
)
WORDS = _WORDS.split()


def write_sentence(draw: random.Random) -> str:
    """A text that no other one is like."""
    return " ".join(draw.choice(WORDS) for _ in range(draw.randint(10, 16)))


def make_rows(seed: str, count: int) -> list[Row]:
    """Rows without a fault: texts that differ, a class of three, a score from 0 to 1, labels, an author."""
    draw = random.Random(seed)
    rows = []
    for number in range(count):
        kind = ("gain", "loss", "draw")[number % 3]
        score = round(draw.random(), 3)
        rows.append(
            {"text": write_sentence(draw), "label": kind, "score": score, "labels": ["joy"] if number % 2 else []}
        )
    draw.shuffle(rows)
    return rows


def put(count: int, **cells: Any) -> Callable[[list[Row]], None]:
    """Return what puts cells into the first rows; a function gets the row and its number."""

    def edit(rows: list[Row]) -> None:
        for number, row in enumerate(rows[:count]):
            row |= {key: cell(row, number) if callable(cell) else cell for key, cell in cells.items()}

    return edit


def write(count: int, pattern: str) -> Callable[[list[Row]], None]:
    """Return what writes the first texts anew; the pattern may name cells of the row, and n, its number."""
    return put(count, text=lambda row, number: pattern.format(**row, n=number))


@dataclass(frozen=True)
class Plant:
    """A fault in a source of its own, with one task that reads it.

    Args:
        name: what it is.
        code: what has to be found.
        edit: puts it into the rows; or into the rows of train, dev and test, where `splits` is set.
        task: keys of the task, beside source; by default it is a class.
        source: keys of the source.
        splits: whether the source has a file for each split.
        rows: how many rows it has.
    """

    name: str
    code: str
    edit: Callable[..., Any] = lambda *rows: None
    task: Row = field(default_factory=dict)
    source: Row = field(default_factory=dict)
    splits: bool = False
    rows: int = 90

    def write(self, folder: Path, name: str) -> tuple[Row, Row]:
        """Write its files, and return source and task of the run file."""
        if self.splits:
            parts = {split: make_rows(f"{self.name} {split}", self.rows) for split in ("train", "dev", "test")}
            self.edit(*parts.values())
            for split, rows in parts.items():
                write_rows(folder / f"{name}-{split}.jsonl", rows)
            files = {split: str(folder / f"{name}-{split}.jsonl") for split in parts}
        else:
            rows = make_rows(self.name, self.rows)
            self.edit(rows)
            write_rows(folder / f"{name}.jsonl", rows)
            files = {"path": str(folder / f"{name}.jsonl")}
        return {**files, **self.source}, {"source": name, "kind": "classification", **self.task}


def write_rows(path: Path, rows: list[Row]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


SCORE = {"kind": "regression", "label": "score"}
LABELS = {"kind": "multilabel", "label": "labels"}
GERMAN = (
    "Das Zimmer war sauber, aber das Frühstück kam leider viel zu spät.",
    "Wir haben lange gewartet, und niemand hat uns erklärt, was passiert ist.",
    "Der Fahrer war freundlich und hat uns den Weg zum Bahnhof gezeigt.",
    "Am Abend gab es ein schönes Konzert auf dem Platz vor der Kirche.",
)


def _near(train: list[Row], dev: list[Row], test: list[Row]) -> None:
    for number in range(5):
        test[number]["text"] = train[number]["text"] + " @someone https://example.org/a!"


def _group(train: list[Row], dev: list[Row], test: list[Row]) -> None:
    for part, rows in zip("abc", (train, dev, test), strict=True):
        for number, row in enumerate(rows):
            row["author"] = f"{part}{number % 30}"
    test[0]["author"] = "a1"


def _conflict(rows: list[Row]) -> None:
    for number in range(3):
        rows[number]["text"] = rows[number + 50]["text"]
        rows[number]["label"] = {"gain": "loss", "loss": "draw", "draw": "gain"}[rows[number + 50]["label"]]


def _sorted(train: list[Row], dev: list[Row], test: list[Row]) -> None:
    for number, row in enumerate(test):
        row["label"] = "loss" if number % 10 else "gain" if number % 20 else "draw"


def _without(rows: list[Row], label: str, but: int = 0) -> None:
    left = [row for row in rows if row["label"] == label]
    for row in left[but:]:
        row["label"] = "gain"


def _imbalanced(rows: list[Row]) -> None:
    for number, row in enumerate(rows):
        row["label"] = "gain" if number % 30 else "loss"


def _placeholders(rows: list[Row]) -> None:
    rows[0]["text"], rows[1]["text"] = "n/a", "[deleted]"


def _shared(train: list[Row], dev: list[Row], test: list[Row]) -> None:
    for number in range(2):
        test[number]["text"] = train[number]["text"].upper()


def _authors(rows: list[Row]) -> None:
    for number, row in enumerate(rows):
        row["author"] = f"w{number % 45}" if number else None


def _repeated(rows: list[Row]) -> None:
    for row in rows[:6]:
        row |= {"text": rows[-1]["text"], "label": rows[-1]["label"]}


FROM_ZERO = {**SCORE, "range": [0, 1]}
SPLITS = {"splits": True, "rows": 60}
GROUP = {"group": "author"}
IDS = [f"c{number}" for number in range(90)]
PLANTS = (
    Plant("punctuation alone", "T01", put(2, text=lambda row, number: "!" * (number + 3))),
    Plant("very long texts", "T02", write(4, "{text} " * 12)),
    Plant("UTF-8 read as cp1252", "T03", write(3, "schÃ¶n {text} fÃ¼r")),
    Plant("apostrophes read as cp1252", "T03", write(3, "Itâ€™s {text}")),
    Plant("replacement characters", "T04", write(3, "sch\ufffdn {text}")),
    Plant("HTML entities", "T05", write(3, "{text} &amp; more &quot;")),
    Plant("HTML tags", "T05", write(3, "{text}<br/>twice")),
    Plant("zero-width spaces", "T06", write(3, "so\u200bon {text}")),
    Plant("escapes of line breaks", "T07", write(3, "{text}\\nSecond line")),
    Plant("escapes of Unicode", "T07", write(3, "caf\\u00e9 {text}")),
    Plant("bytes as text", "T08", write(3, "b'{text}'")),
    Plant("lists as text", "T08", write(3, "['{text}']")),
    Plant("placeholders", "T09", _placeholders),
    Plant("ids in place of texts", "T10", write(90, "ID-{n:05}")),
    Plant("dates in place of texts", "T10", write(90, "2024-{n}")),
    Plant("empty texts", "T14", put(3, text=" ")),
    Plant("Cyrillic texts", "T11", write(3, "Очень хороший день {n}")),
    Plant("a class of four rows", "L01", put(5, label="tie")),
    Plant("a class that is listed only", "L01", task={"classes": ["gain", "loss", "draw", "tie"]}),
    Plant("a class that test lacks", "L02", lambda train, dev, test: _without(test, "draw"), **SPLITS),
    Plant("one class almost alone", "L03", _imbalanced, rows=150),
    Plant("few labels", "L04", put(45, label=None)),
    Plant("ids as classes", "L05", put(90, label=lambda row, number: f"c{number}"), task={"classes": IDS}),
    Plant("capital spellings", "L06", put(20, label=lambda row, number: row["label"].title())),
    Plant("a class for nothing", "L07", put(15, label="unknown")),
    Plant("two labels with a semicolon", "L08", put(10, labels=["joy;fear"]), task=LABELS),
    Plant("two classes in one cell", "L08", put(30, label="gain;loss")),
    Plant("conflicting labels", "L09", _conflict),
    Plant("the class in the text", "L10", write(90, "{text} {label}")),
    Plant("the score in the text", "L10", write(90, "{score:g} {text}"), task=FROM_ZERO),
    Plant("scores at the top", "L11", put(60, score=1), task=FROM_ZERO),
    Plant("a range in percent", "L12", task={**SCORE, "range": [0, 100]}),
    Plant("a code for a missing score", "L13", put(2, score=-999), task=SCORE),
    Plant("rows without a label", "L16", put(20, label=None), rows=120),
    Plant("a text in train and test", "S01", _shared, **SPLITS),
    Plant("nearly a text of train", "S02", _near, **SPLITS),
    Plant("an author in train and test", "S03", _group, source=GROUP, **SPLITS),
    Plant("repeated texts", "S04", _repeated),
    Plant("a sorted file", "S05", _sorted, **SPLITS),
    Plant("a column of authors", "S07", put(90, author_id=lambda row, number: f"w{number % 9}")),
    Plant("few large groups", "S09", put(90, author=lambda row, number: f"w{number % 15}"), source=GROUP),
    Plant("an empty author", "S08", _authors, source=GROUP),
)
"""A fault each, and the code by which it must be found."""

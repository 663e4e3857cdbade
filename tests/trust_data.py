"""A made-up corpus with enough dev rows to calibrate on, and a task of each kind on it."""

import csv
import json
import random
from pathlib import Path

from corpus import BAD, GOOD, THINGS, run_data


def write_reviews(folder: Path, rows: int = 1000, seed: int = 0) -> Path:
    """Write reviews.csv: text, score (-1..1), label, stars (1..5), words (a JSON list); one label in five is chance."""
    draw = random.Random(seed)
    path = folder / "reviews.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["text", "score", "label", "stars", "words"])
        for number in range(rows):
            kinds = [draw.choice("gbn") for _ in range(draw.randint(2, 7))]
            words = [draw.choice({"g": GOOD, "b": BAD, "n": THINGS}[kind]) for kind in kinds]
            good, bad = kinds.count("g"), kinds.count("b")
            said = draw.choice([-2, -1, 0, 1, 2]) if draw.random() < 0.2 else good - bad
            score = max(-1.0, min(1.0, said / 3 + draw.gauss(0, 0.15)))
            label = "negative" if said < 0 else "positive" if said > 0 else "neutral"
            names = [name for name, count in (("praise", good), ("blame", bad)) if count > draw.choice([0, 1, 1])]
            stars = max(1, min(5, 3 + said))
            text = f"{' '.join(words)} {number}"
            table.writerow([text, f"{score:.3f}", label, stars, json.dumps(names)])
    return path


def trust_data(folder: Path, model: Path) -> dict:
    """A run file over that corpus."""
    path = write_reviews(folder)
    data = run_data(folder, model, epochs=4)
    data["sources"] = {"reviews": {"path": str(path), "split": [0.4, 0.25, 0.35]}}
    data["tasks"] = {
        "intensity": {"source": "reviews", "kind": "regression", "label": "score", "range": [-1, 1]},
        "polarity": {"source": "reviews", "kind": "classification", "label": "label", "decide": "macro_f1"},
        "stars": {"source": "reviews", "kind": "ordinal", "label": "stars"},
        "words": {"source": "reviews", "kind": "multilabel", "label": "words"},
    }
    data["train"]["evaluations"] = 2
    data["evaluation"]["explain"] = 20
    return data

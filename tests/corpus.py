"""A small made-up corpus that a tiny model can learn."""

import json
import random
from pathlib import Path

GOOD = ["good", "great", "fine", "nice", "happy", "love", "best", "excellent", "amazing", "wonderful"]
BAD = ["bad", "awful", "poor", "sad", "hate", "worst", "terrible", "horrible", "boring", "broken"]
THINGS = ["film", "movie", "phone", "camera", "battery", "price", "service", "food", "staff", "place"]


def write_corpus(folder: Path, rows: int = 160, seed: int = 0) -> Path:
    """Write reviews.csv: text, aspect, score (-1..1), label (three classes), writer."""
    draw = random.Random(seed)
    lines = ["text,aspect,score,label,writer"]
    for number in range(rows):
        words, score = [], 0
        for _ in range(draw.randint(2, 9)):
            kind = draw.choice("gbn")
            score += {"g": 1, "b": -1, "n": 0}[kind]
            words.append(draw.choice({"g": GOOD, "b": BAD, "n": THINGS}[kind]))
        aspect = draw.choice(THINGS)
        label = "negative" if score < 0 else "positive" if score > 0 else "neutral"
        lines.append(f"{' '.join(words)} {number},{aspect},{max(-1, min(1, score / 4))},{label},w{number % 40}")
    path = folder / "reviews.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def run_data(folder: Path, model: Path, **train: object) -> dict:
    """A run file over that corpus: a score and a class on the same rows, a class on rows of its own."""
    if not (folder / "reviews.csv").exists():
        write_corpus(folder)
    return {
        "model": str(model),
        "max_length": 32,
        "sources": {"reviews": {"path": str(folder / "reviews.csv")}},
        "tasks": {
            "intensity": {"source": "reviews", "kind": "regression", "label": "score", "range": [-1, 1]},
            "polarity": {"source": "reviews", "kind": "classification", "label": "label"},
            "towards": {"source": "reviews", "kind": "classification", "pair": "aspect", "label": "label"},
        },
        "train": {
            "epochs": 2,
            "batch_size": 16,
            "eval_batch_size": 32,
            "learning_rate": 3e-3,
            "head_learning_rate": 3e-3,
            "evaluations": 3,
            **train,
        },
        # To explain mistakes takes longer than such a training.
        "evaluation": {"bootstrap": 100, "explain": 0},
        "output": str(folder / "run"),
    }


def words_data(folder: Path, model: Path, **train: object) -> dict:
    """That run file with a task that names the kinds of words a text has three or more of; and a column of titles."""
    data = run_data(folder, model, **train)
    header, *lines = (folder / "reviews.csv").read_text(encoding="utf-8").splitlines()
    rows = [header + ",words,title"]
    for line in lines:
        text = line.split(",")[0].split()
        kinds = {"praise": GOOD, "blame": BAD, "thing": THINGS}
        labels = [name for name, words in kinds.items() if sum(word in words for word in text) > 2]
        rows.append(f"{line},{'|'.join(labels) or '|'},{text[0]} {text[1]}")
    (folder / "words.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    data["sources"] = {"reviews": {"path": str(folder / "words.csv")}}
    words = {"source": "reviews", "kind": "multilabel", "label": "words", "separator": "|"}
    data["tasks"] = {"words": words, "intensity": data["tasks"]["intensity"]}
    return data


def asked_data(folder: Path, model: Path, **train: object) -> dict:
    """A run file in which a language model is asked, and heads read, for tasks of all kinds on the same rows."""
    data = words_data(folder, model, **train)
    words, intensity = data["tasks"]["words"], data["tasks"]["intensity"]
    asked = {"format": "prompt", "template": "{text}\n{task}?"}
    data["tasks"] = {
        "tone": {"source": "reviews", "kind": "classification", "label": "label", **asked},
        "strength": {**intensity, **asked},
        "kinds": {**words, **asked, "template": "{text}\n{label}?"},
        "title": {"source": "reviews", "kind": "generation", "label": "title", "max_new_tokens": 8},
        "polarity": {"source": "reviews", "kind": "classification", "label": "label"},
        "intensity": intensity,
        "words": words,
    }
    data["tasks"]["title"]["template"] = "{text}\n{task}?"
    return {**data, "max_length": 128}


def write_run(folder: Path, model: Path, balance: object = "dao", **train: object) -> Path:
    """Write the first run file (JSON is YAML) and return its path."""
    return write_data(folder, {**run_data(folder, model, **train), "balance": balance})


def write_data(folder: Path, data: dict) -> Path:
    """Write a run file and return its path."""
    path = folder / "run.yaml"
    path.write_text(json.dumps(data), encoding="utf-8")
    return path

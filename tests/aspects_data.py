"""Made-up reviews with aspects, triplets and quads, and a run file for them."""

import json

from corpus import write_data

NOUNS = ("camera", "battery", "phone", "screen", "price", "staff")
WORDS = {"good": "positive", "great": "positive", "bad": "negative", "awful": "negative"}


def make_row(number):
    noun, (word, polarity) = NOUNS[number % len(NOUNS)], list(WORDS.items())[number // len(NOUNS) % len(WORDS)]
    if number % 7 == 6:
        return {"text": f"i was there on day {number}", "aspects": [], "triplets": [], "quads": [], "tone": "none"}
    triplet = {"term": noun, "opinion": word, "polarity": polarity}
    category = "people" if noun == "staff" else "things"
    text = f"the {noun} was {word} on day {number}"
    quads = [{**triplet, "category": category}]
    if number % 7 == 5:
        text, quads = f"all so {word} on day {number}", [{**quads[0], "category": "things", "term": None}]
        return {"text": text, "aspects": [], "triplets": [], "quads": quads, "tone": polarity}
    return {
        "text": text,
        "aspects": [{"term": noun, "polarity": polarity}],
        "triplets": [triplet],
        "quads": quads,
        "tone": polarity,
    }


def write_run(folder, model, **options):
    rows = [make_row(number) for number in range(240)]
    path = folder / "reviews.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    tasks = {
        "aspects": {"source": "reviews", "kind": "extraction", "label": "aspects"},
        "triplets": {"source": "reviews", "kind": "triplets", "label": "triplets"},
        "quads": {"source": "reviews", "kind": "quads", "label": "quads"},
        "tone": {"source": "reviews", "kind": "classification", "label": "tone"},
    }
    settings = {"epochs": 12, "batch_size": 16, "learning_rate": 3e-3, "evaluations": 2, **options}
    data = {
        "model": str(model),
        "max_length": 32,
        "sources": {"reviews": {"path": str(path)}},
        "tasks": tasks,
        "balance": "dao",
        "train": settings,
        "evaluation": {"bootstrap": 100, "explain": 0},
        "output": str(folder / "run"),
    }
    return write_data(folder, data)

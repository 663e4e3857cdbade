"""Made-up mistakes with hostile names and texts, as `mistakes.json` holds them."""

HOSTILE = ('</style><script>alert("1")</script>', "tr:not(.x)'\"", "none", "a" * 300)
TEXT = "Not <b>bad</b> & “good”, {{ 7 * 7 }} 👍🏽"


def word(text, part, weight):
    start = text.index(part)
    return {"word": part, "start": start, "end": start + len(part), "weight": weight}


def example(label, answer, *, text=TEXT, explained=True):
    weights = {"Not": -1.5, "bad": 1.2, "good": 0.01, "👍🏽": 3.0}
    words = [word(text, part, weight) for part, weight in weights.items() if part in text]
    told = {"of": answer, "unit": "log-odds", "words": words, "rest": 0.0, "pair_words": [], "pair_rest": 0.0}
    return {
        "text": text,
        "pair": None,
        "label": label,
        "answer": f"{answer} (0.9)",
        "suspected": False,
        "label_classes": [label],
        "answer_classes": [answer],
        "explained": [told] if explained else [],
    }


def make_mistakes():
    """Two tasks: one with hostile classes, 6 rows; one without classes, explained by nothing."""
    first, second, third, _ = HOSTILE
    pairs = [(first, second), (first, second), (first, third), (second, first), (third, first), (third, second)]
    whole = {"n": 60, "wrong": 6, "wrong_means": "another class", "suspected": 0, "part_metric": "f1", "parts": []}
    classes = {"classes": list(HOSTILE), "confusion": None, "examples": [example(*pair) for pair in pairs]}
    bare = example("0.3", "0.9", explained=False) | {"label_classes": [], "answer_classes": []}
    why = "the run file turns it off (evaluation.explain: 0)"
    return {
        "polarity": {**whole, **classes, "unexplained": ""},
        "intensity": {**whole, "classes": [], "confusion": None, "examples": [bare], "unexplained": why},
    }

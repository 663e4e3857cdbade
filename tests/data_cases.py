"""Tasks that the tests of the data package read."""

SCORE = {"source": "s", "kind": "regression", "label": "score", "range": [-1, 1]}
LABEL = {"source": "s", "kind": "classification"}

"""Research sets that the repository does not carry: $EQUIPOISE_DATA names the folder that holds them."""

import os
from pathlib import Path

import pytest

from data_cases import LABEL, SCORE

FOLDER = Path(os.environ.get("EQUIPOISE_DATA") or "no-such-folder")
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="EQUIPOISE_DATA names no folder")

SETS = {
    "fiqa_posts": (SCORE | {"pair": "target"}, (472, 78, 125)),
    "fin_headlines": (SCORE | {"pair": "target"}, (800, 101, 241)),
    "fin_entities": (LABEL | {"pair": "target"}, (10_097, 1409, 2826)),
    "tweet_emotion": (LABEL, (3257, 374, 1421)),
    "tweet_irony": (LABEL, (2862, 955, 784)),
    "tweet_offensive": (LABEL, (11_916, 1324, 860)),
    "absa_laptop14": (LABEL | {"pair": "aspect"}, (2128, 200, 638)),
    "absa_restaurant14": (LABEL | {"pair": "aspect"}, (3217, 391, 1120)),
    "reviews_music": (LABEL | {"label": "stars"}, (3528, 477, 1042)),
}


@pytest.mark.parametrize("name", SETS)
def test_a_set_loads(load, name):
    task, (train, dev, test) = SETS[name]
    counts = load({"s": {"path": str(FOLDER / name)}}, {"t": task}).counts()
    assert counts["test"] == {"rows": test, "labels": {"t": test}}
    assert 0.99 * dev <= counts["dev"]["rows"] <= dev
    assert 0.95 * train <= counts["train"]["rows"] <= train


def test_all_sets_in_one_table(load):
    table = load(
        {name: {"path": str(FOLDER / name)} for name in SETS},
        {name: task | {"source": name} for name, (task, _) in SETS.items()},
    )
    assert table.tasks["tweet_offensive"].classes == ("not-offensive", "offensive")
    assert table.tasks["reviews_music"].classes == ("1", "2", "3", "4", "5")
    assert table.counts()["test"]["rows"] == sum(test for _, (_, _, test) in SETS.values())

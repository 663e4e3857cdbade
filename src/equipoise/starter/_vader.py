"""Turn the VADER ICWSM-2014 corpus into one JSON Lines file.

C. J. Hutto and E. Gilbert, "VADER: A Parsimonious Rule-based Model for Sentiment Analysis of Social Media
Text", ICWSM 2014.
"""

import html
import json
from pathlib import Path

from equipoise.files import to_json

_DOMAINS = {
    "tweets": "tweets",
    "products": "amazonReviewSnippets",
    "films": "movieReviewSnippets",
    "editorials": "nytEditorialSnippets",
}


def convert(folder: Path) -> None:
    """Write `corpus.jsonl` beside the corpus's own files.

    One object a row, in the order of the domains above and of their files:

    - `id`: domain and number, "tweets/12", "products/1_3".
    - `domain`: "tweets", "products", "films" or "editorials".
    - `document`: the group that a split must keep together, "products/1" for "products/1_3". Tweets and film
      snippets name no document, so that each is its own.
    - `text`: without surrounding whitespace and with HTML entities decoded ("&lt;3" is "<3"): they are left
      from the collection of the texts, some of them escaped twice, and are not what the writers wrote.
    - `score`: the mean rating, from -4 to 4, as `*_GroundTruth.txt` has it; published results rest on it.
    - `disagreement`: the population standard deviation of the ratings.
    - `raters`: how many ratings there are.

    For 199 tweets (variants of a sentence in punctuation, capitals and degree words) the published score is
    not the mean of the listed ratings; disagreement and raters describe the listed ratings throughout.
    """
    with (folder / "corpus.jsonl").open("w", encoding="utf-8", newline="\n") as corpus:
        for domain, name in _DOMAINS.items():
            ratings = {number: rest for number, *rest in _rows(folder / f"{name}_anonDataRatings.txt")}
            for number, score, text in _rows(folder / f"{name}_GroundTruth.txt"):
                _, deviation, listed = ratings[number]
                row = {
                    "id": f"{domain}/{number}",
                    "domain": domain,
                    "document": f"{domain}/{number.partition('_')[0]}",
                    "text": _decode(text).strip(),
                    "score": float(score),
                    "disagreement": float(deviation),
                    "raters": len(json.loads(listed)),
                }
                corpus.write(to_json(row) + "\n")


def _rows(path: Path) -> list[list[str]]:
    # One of the files starts with a byte order mark.
    with path.open(encoding="utf-8-sig") as file:
        return [line.rstrip("\n").split("\t") for line in file]


def _decode(text: str) -> str:
    while (decoded := html.unescape(text)) != text:
        text = decoded
    return text

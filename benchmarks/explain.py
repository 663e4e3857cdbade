"""Do the words that explain an answer matter? Deleting them, against deleting random words; and does the sum hold?

    python benchmarks/explain.py [--model runs/quickstart] [--texts 100] [--share 0.2] [--quick]

It explains a trained model's answers for texts of the starter corpus. For each task the table has

- the gap of the sum of weights, as a share of the difference that it explains (median and 90 % quantile);
- how much the answer falls without the words that speak for it most (a share of the words, rounded up), and without as
  many random words (mean of five draws): of a class its probability, of a score the score, towards the baseline;
- the difference of the two, with a 95 % bootstrap interval over texts;
- the seconds of explaining a text over those of predicting it.

`--quick` takes 10 texts.
"""

import argparse
import json
import math
import random
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from equipoise.modeling import Predictor, load
from equipoise.starter import fetch
from measuring import interval

_DRAWS = 5


def read_texts(count: int) -> list[str]:
    lines = (fetch("vader") / "corpus.jsonl").read_text(encoding="utf-8").splitlines()
    texts = [json.loads(line)["text"] for line in lines[:: max(1, len(lines) // (2 * count))]]
    return [text for text in texts if len(text.split()) > 4][:count]


def read_value(answer: dict[str, Any], of: str) -> float:
    """The number that should fall: a class's probability, or a score."""
    return answer["probabilities"][of] if of in answer.get("probabilities", {}) else answer[of]


def without(text: str, words: Sequence[dict[str, Any]]) -> str:
    for word in sorted(words, key=lambda one: -one["start"]):
        text = text[: word["start"]] + text[word["end"] :]
    return text if text.strip() else "."


def measure(predictor: Predictor, task: str, texts: Sequence[str], share: float) -> dict[str, Any]:
    draw = random.Random(0)
    began = time.perf_counter()
    predictor.predict(texts, tasks=task)
    plain = time.perf_counter() - began
    began = time.perf_counter()
    answers = [answer[task] for answer in predictor.predict(texts, tasks=task, explain=True)]
    explaining = time.perf_counter() - began
    shorter: list[str] = []
    for text, answer in zip(texts, answers, strict=True):
        words, sign = answer["words"], sign_of(answer)
        count = math.ceil(share * len(words))
        chosen = [sorted(words, key=lambda word: -sign * word["weight"])[:count]]
        chosen += [draw.sample(words, count) for _ in range(_DRAWS)]
        shorter += [without(text, some) for some in chosen]
    after = [answer[task] for answer in predictor.predict(shorter, tasks=task)]
    falls = np.empty((len(texts), 1 + _DRAWS))
    for row, answer in enumerate(answers):
        of, sign = answer["explained"]["of"], sign_of(answer)
        for column in range(1 + _DRAWS):
            other = after[row * (1 + _DRAWS) + column]
            falls[row, column] = sign * (read_value(answer, of) - read_value(other, of))
    explained = [answer["explained"] for answer in answers]
    shares = [abs(one["gap"]) / max(abs(one["output"] - one["baseline"]), 1e-9) for one in explained]
    top, at_random = falls[:, 0], falls[:, 1:].mean(axis=1)
    low, high = interval(top - at_random, lambda drawn: drawn.mean(axis=1))
    return {
        "gap_median": float(np.median(shares)),
        "gap_90": float(np.quantile(shares, 0.9)),
        "gap_most": max(abs(one["gap"]) for one in explained),
        "fall_top": float(top.mean()),
        "fall_random": float(at_random.mean()),
        "difference": float((top - at_random).mean()),
        "low": low,
        "high": high,
        "times_as_long": explaining / plain,
    }


def sign_of(answer: dict[str, Any]) -> float:
    """1 where words should raise the number, which they do for a class; −1 for a score below the baseline."""
    of = answer["explained"]
    return 1.0 if of["of"] in answer.get("probabilities", {}) else float(np.sign(of["output"] - of["baseline"]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=Path("runs/quickstart"), help="a run of `equipoise quickstart`")
    parser.add_argument("--texts", type=int, default=100)
    parser.add_argument("--share", type=float, default=0.2, help="of the words that are deleted")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    predictor = load(options.model)
    texts = read_texts(10 if options.quick else options.texts)
    chosen = [name for name, task in predictor.tasks.items() if task.explained_unit and not task.explains_each]
    found = {name: measure(predictor, name, texts, options.share) for name in chosen if not predictor.tasks[name].pair}
    print("| task | gap, median | gap, 90 % | fall, top words | fall, random words | difference | times as long |")
    print("|---|---|---|---|---|---|---|")
    for name, one in found.items():
        cells = [f"{one['gap_median']:.2%}", f"{one['gap_90']:.2%}", f"{one['fall_top']:.3f}"]
        cells += [f"{one['fall_random']:.3f}", f"{one['difference']:.3f} [{one['low']:.3f}, {one['high']:.3f}]"]
        print(f"| {name} | {' | '.join(cells)} | {one['times_as_long']:.0f} |")
    print(json.dumps({"texts": len(texts), "share": options.share, "tasks": found}))


if __name__ == "__main__":
    main()

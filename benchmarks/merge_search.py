"""How many candidates of a merge search are ready to score in a minute: in memory, and by way of the disk.

Four experts of a base are merged by the same coefficients, drawn at random, in turns:

in memory   what `equipoise search RUN.yaml` does: the merged task vector is added to the one live model, and the base's
            tensors are put back afterwards; what does not depend on the coefficients is kept for the next candidate
mergekit    mergekit's `run_merge` writes the merged checkpoint, and transformers loads it

The experts are made up, without training: MiniLM with a change of every tensor, as of whole models, and SmolLM2 with a
change of rank 8 of every linear layer, as of adapters that are folded in. Both ways score the same texts.

    python benchmarks/merge_search.py [--quick] [--candidates 6] [--rows 64]

`--quick` is MiniLM with two candidates of each operator, without intervals. mergekit is in the extra `dev`.
"""

import argparse
import contextlib
import json
import logging
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from transformers import AutoModel, AutoModelForCausalLM, AutoTokenizer, PreTrainedModel

from equipoise.devices import choose_device
from equipoise.evolution.recipes import Recipe
from equipoise.merging import Base, Cache, find_experts, read_vectors
from equipoise.modeling import quiet_transformers
from equipoise.progress import progress
from equipoise.starter import fetch
from measuring import FEW, interval, rounded, setting, synchronize, take_turns

BACKBONES = {"minilm": False, "smollm2-135m": True}
"""The starters, and whether they write."""
OPERATORS: dict[str, dict[str, Any]] = {"task_arithmetic": {}, "ties": {"density": 0.2, "trim": "tensor"}}
"""mergekit trims each tensor for itself."""
EXPERTS, RANK, CHANGE, CLASSES = 4, 8, 0.05, 3
GOAL = 5.0
TOLERANCE = 0.01
"""Of the logits' spread: at the border of what TIES trims, rounding decides."""
MEMORY, DISK = "in memory", "mergekit"


class Turn(NamedTuple):
    """What one candidate took, and what it said of the texts."""

    ready: float
    whole: float
    logits: Tensor


class Bench:
    """One base with its experts on the disk, a live model, and texts to score.

    Args:
        name: the base: a starter's name or a folder.
        language_model: whether it writes.
        texts: what is scored.
        folder: where experts and candidates are written.
    """

    def __init__(self, name: str, language_model: bool, texts: list[str], folder: Path) -> None:
        self.folder, self.language_model = folder, language_model
        write_experts(name, language_model, folder)
        self.experts = [str(folder / f"expert{number}") for number in range(EXPERTS)]
        found = find_experts(self.experts)
        self.base = Base.load(str(folder / "base"), language_model=language_model)
        self.vectors = {expert: vector.tensors for expert, vector in read_vectors(found, self.base).items()}
        self.kept: dict[str, Cache] = {operator: {} for operator in OPERATORS}
        self.device = choose_device()
        self.base.backbone.to(self.device).eval()
        self.base.tokenizer.padding_side = "left" if language_model else "right"
        if self.base.tokenizer.pad_token is None:
            self.base.tokenizer.pad_token = self.base.tokenizer.eos_token
        self.inputs = self.base.tokenizer(texts, padding=True, truncation=True, max_length=64, return_tensors="pt")
        self.inputs = self.inputs.to(self.device)
        generator = torch.Generator().manual_seed(0)
        width = self.base.backbone.config.hidden_size
        self.head = torch.randn(width, CLASSES, generator=generator).to(self.device)

    def draw(self, turn: int) -> dict[str, float]:
        """Return a turn's coefficients."""
        drawn = np.random.default_rng(turn).uniform(0.05, 0.6, EXPERTS)
        return dict(zip(self.vectors, map(float, drawn), strict=True))

    def in_memory(self, operator: str, turn: int) -> Turn:
        """Merge in memory, score, and put the base back; all but scoring makes ready."""
        start = now()
        recipe = Recipe(operator, OPERATORS[operator], (self.draw(turn),))
        merged = recipe.merge(self.vectors, self.base.tensors, self.base.linear, cache=self.kept[operator])
        with self.base.changed(merged) as model:
            made = now()
            logits = self.score(model)
            scored = now()
        end = now()
        return Turn(made - start + end - scored, end - start, logits)

    def by_disk(self, operator: str, turn: int) -> Turn:
        """Let mergekit write the merge, load it, and score; that the files are removed again is not counted."""
        from mergekit.config import MergeConfiguration
        from mergekit.merge import run_merge
        from mergekit.options import MergeOptions

        output = self.folder / "merged"
        density = {key: value for key, value in OPERATORS[operator].items() if key == "density"}
        start = now()
        config = MergeConfiguration.model_validate(
            {
                "merge_method": operator,
                "base_model": str(self.folder / "base"),
                "dtype": "float32",
                "models": [
                    {"model": path, "parameters": {"weight": weight, **density}}
                    for path, weight in zip(self.experts, self.draw(turn).values(), strict=True)
                ],
            }
        )
        # A card and a copy of the tokenizer are not needed.
        options = MergeOptions(copy_tokenizer=False, write_model_card=False, quiet=True, device=self.device.type)
        run_merge(config, str(output), options)
        kind = AutoModelForCausalLM if self.language_model else AutoModel
        with quiet_transformers():
            model = kind.from_pretrained(output, dtype=torch.float32).to(self.device).eval()
        made = now()
        logits = self.score(model)
        end = now()
        del model
        shutil.rmtree(output)
        return Turn(made - start, end - start, logits)

    def score(self, model: PreTrainedModel) -> Tensor:
        """Return the logits of the next token, or of made-up classes from averaged features, rows × classes."""
        with torch.inference_mode():
            if self.language_model:
                return model(**self.inputs, logits_to_keep=1, use_cache=False).logits[:, -1].float()
            mask = self.inputs["attention_mask"][..., None]
            features = model(**self.inputs).last_hidden_state
            return (features * mask).sum(1) / mask.sum(1) @ self.head


def write_experts(name: str, language_model: bool, folder: Path) -> None:
    """Write the base and its experts: each is the base and a random change of 5 % of each tensor's norm."""
    place = fetch(name) if name in BACKBONES else Path(name)
    tokenizer = AutoTokenizer.from_pretrained(place)
    with quiet_transformers():
        # As a whole: mergekit wants BERT's pooler, too, which scores nothing.
        kind = AutoModelForCausalLM if language_model else AutoModel
        backbone = kind.from_pretrained(place, dtype=torch.float32)

    def save(called: str) -> None:
        with quiet_transformers():
            backbone.save_pretrained(folder / called)
        tokenizer.save_pretrained(folder / called)

    save("base")
    before = {key: value.clone() for key, value in backbone.state_dict().items()}
    linear = {f"{key}.weight" for key, part in backbone.named_modules() if isinstance(part, nn.Linear)}
    tied = {key for key, _ in backbone.named_parameters()}
    for number in range(EXPERTS):
        generator = torch.Generator().manual_seed(number)
        for key, value in before.items():
            if key not in tied or not value.is_floating_point() or (language_model and key not in linear):
                continue
            if language_model:
                up = torch.randn(value.shape[0], RANK, generator=generator)
                change = up @ torch.randn(RANK, value.shape[1], generator=generator)
            else:
                change = torch.randn(value.shape, generator=generator)
            backbone.state_dict()[key].copy_(value + CHANGE * value.norm() / change.norm() * change)
        save(f"expert{number}")


class Names(tuple[str, ...]):
    """Names that can be added to a list."""

    def __radd__(self, other: list[str]) -> list[str]:
        return [*other, *self]


def mend_mergekit() -> None:
    """Let mergekit 0.1.5 merge BERT: where a tensor may be missing, it adds the tuple of its other names to a list."""
    from mergekit.plan import MergePlanner

    plan = MergePlanner.plan_tensor

    def plan_tensor(self: Any, weight: Any, weights_in: Any, *rest: Any, **named: Any) -> Any:
        mended = [one.model_copy(update={"aliases": Names(one.aliases)}) if one.aliases else one for one in weights_in]
        return plan(self, weight, mended, *rest, **named)

    MergePlanner.plan_tensor = plan_tensor


def now() -> float:
    synchronize()
    return time.perf_counter()


def measure(bench: Bench, name: str, operator: str, candidates: int) -> dict[str, Any]:
    """Return candidates a minute and ratios of one operator, and how far the scores are apart."""
    ways = {MEMORY: bench.in_memory, DISK: bench.by_disk}
    with progress(name, len(ways) * candidates, "candidate") as bar:

        def take(turn: int, way: Callable[[str, int], Turn]) -> Turn:
            taken = way(operator, turn)
            bar.advance()
            return taken

        found = take_turns({way: partial(take, way=call) for way, call in ways.items()}, candidates)
    row: dict[str, Any] = {}
    for part in ("ready", "whole"):
        seconds = {name: np.array([getattr(turn, part) for turn in turns]) for name, turns in found.items()}
        ratios = seconds[DISK] / seconds[MEMORY]
        low, high = interval(ratios) if candidates >= FEW else (None, None)
        row |= {f"{part} {name}": 60 / float(np.median(taken)) for name, taken in seconds.items()}
        row |= {f"{part} ratio": float(np.median(ratios)), f"{part} low": low, f"{part} high": high}
    pairs = [(one.logits, other.logits) for one, other in zip(found[MEMORY], found[DISK], strict=True)]
    row["difference"] = max(float((one - other).abs().max()) for one, other in pairs)
    row["spread"] = float(torch.stack([one for one, _ in pairs]).std())
    row["same predictions"] = float(np.mean([float((a.argmax(1) == b.argmax(1)).float().mean()) for a, b in pairs]))
    return row


def find_missed(rows: dict[str, dict[str, Any]]) -> list[str]:
    """Name the goals that are missed, beyond the noise: five times as many, and the same scores."""
    slow = [name for name, row in rows.items() if (row["ready high"] or row["ready ratio"]) < GOAL]
    off = [f"{name}: difference" for name, row in rows.items() if not row["difference"] <= TOLERANCE * row["spread"]]
    return slow + off


def read_texts(count: int) -> list[str]:
    """Read the first texts of the starter corpus."""
    with (fetch("vader") / "corpus.jsonl").open(encoding="utf-8") as lines:
        return [json.loads(line)["text"] for line, _ in zip(lines, range(count), strict=False)]


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="MiniLM, two candidates: under a minute")
    parser.add_argument("--backbones", nargs="+", default=list(BACKBONES), help="starters, or folders of encoders")
    parser.add_argument("--candidates", type=int, default=6, help="of each backbone and operator")
    parser.add_argument("--rows", type=int, default=64, help="texts that every candidate is scored on")
    chosen = parser.parse_args(arguments)
    try:
        import mergekit  # noqa: F401
    except ImportError:
        sys.exit("merge_search.py compares with mergekit, which is missing; pip install 'mergekit>=0.1.5'.")
    logging.getLogger("mergekit").setLevel(logging.ERROR)
    mend_mergekit()
    candidates, count = (2, 16) if chosen.quick else (chosen.candidates, chosen.rows)
    texts, backbones = read_texts(count), ["minilm"] if chosen.quick else chosen.backbones
    rows: dict[str, dict[str, Any]] = {}
    for name in backbones:
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(sys.stderr):
            bench = Bench(name, BACKBONES.get(name, False), texts, Path(folder))
            # The first candidates take longer than any other.
            bench.in_memory("task_arithmetic", candidates), bench.by_disk("task_arithmetic", candidates)
            for operator in OPERATORS:
                row = f"{Path(name).name}, {operator}"
                rows[row] = measure(bench, row, operator, candidates)
            del bench
    print(f"{EXPERTS} experts, {candidates} candidates of each, scored on {count} texts; candidates a minute\n")
    print(f"{'':30}{'':9}{MEMORY:>11}{DISK:>10}{'ratio':>8}   {'95 % interval':18}{'goal':>5}")
    for name, row in rows.items():
        for part, said, goal in (("ready", "ready", f"{GOAL:g}"), ("whole", "scored", "–")):
            low, high = row[f"{part} low"], row[f"{part} high"]
            bounds = "–" if low is None else f"{low:.1f} to {high:.1f}"
            values = f"{row[f'{part} {MEMORY}']:11.1f}{row[f'{part} {DISK}']:10.1f}{row[f'{part} ratio']:8.1f}"
            print(f"{name if part == 'ready' else '':30}{said:9}{values}   {bounds:18}{goal:>5}")
    print()
    for name, row in rows.items():
        same = f"{100 * row['same predictions']:.1f} % of predictions the same"
        print(f"{name:30}logits differ by at most {row['difference']:.1e} (they spread by {row['spread']:.2g}); {same}")
    kept = {"candidates": candidates, "rows": count}
    results = {name: rounded(row) | {"difference": row["difference"]} for name, row in rows.items()}
    found = {"benchmark": "merge_search", "missed": find_missed(rows), "results": results}
    print("\n" + json.dumps(found | kept | setting()))


if __name__ == "__main__":
    main()

"""How far merged LoRA adapters are from the true sum of what they learnt: ours, and three ways of peft.

Three adapters of rank 8 on MiniLM, one for each task of the quickstart, are averaged. The true sum is Σ w_i ΔW_i, ΔW_i
being what peft folds in for adapter i. Error: ‖found − true‖ / ‖true‖ in the Frobenius norm, over all tensors at once
and for the worst one.

    python benchmarks/lora_merge.py [FOLDER …] [--quick] [--steps 60]

`--quick` trains ten steps. Folders of adapters of one base (see `equipoise merge --help`) take the place of the three.
"""

import argparse
import contextlib
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import Tensor

from equipoise.config import load_config
from equipoise.merging import Base, common_base, find_experts, merge, read_vectors
from equipoise.training import train

TASKS = ("intensity", "polarity", "disagreement")
RANK = 8
PEFT: dict[str, dict[str, Any]] = {
    "peft linear": {"combination_type": "linear"},
    "peft svd, rank 8": {"combination_type": "svd", "svd_rank": RANK},
    "peft cat": {"combination_type": "cat"},
}
OURS: dict[str, dict[str, Any]] = {"ours": {}, "ours, rank 8": {"rank": RANK}}


def train_experts(folder: Path, steps: int) -> list[Path]:
    """Train one adapter a task, on the same texts in the same order."""
    made = load_config(str(files("equipoise.starter") / "quickstart.yaml")).model_dump(mode="json", exclude_none=True)
    for task in TASKS:
        kept = {
            "tasks": {task: made["tasks"][task]},
            "output": str(folder / task),
            "lora": {"rank": RANK},
            "evaluation": {"baselines": []},
        }
        kept["sources"] = {"vader": {**made["sources"]["vader"], "limit": {"train": 2000, "dev": 50, "test": 50}}}
        kept["train"] = {**made["train"], "max_steps": steps, "evaluations": 1, "learning_rate": 1e-3}
        file = folder / f"{task}.yaml"
        file.write_text(json.dumps({**made, **kept}), encoding="utf-8")
        train(file)
    return [folder / task for task in TASKS]


def measure(folders: Sequence[Path], output: Path) -> dict[str, dict[str, float]]:
    """Return the errors of each way."""
    experts = find_experts(folders)
    base = Base.load(common_base(experts), language_model=any(expert.language_model for expert in experts))
    vectors = {name: vector.tensors for name, vector in read_vectors(experts, base).items()}
    weight = 1 / len(vectors)
    true: dict[str, Tensor] = {}
    for vector in vectors.values():
        for name, tensor in vector.items():
            true[name] = true.get(name, torch.zeros_like(tensor)) + weight * tensor
    found = {}
    for way, options in OURS.items():
        folder = output / way.replace(", ", "-").replace(" ", "-")
        merge(folders, folder, weights=dict.fromkeys(vectors, weight), overwrite=True, **options)
        found[way] = errors(read_vectors(find_experts([folder]), base)[folder.name].tensors, true)
    adapted = PeftModel.from_pretrained(base.backbone, str(experts[0].weights), adapter_name=experts[0].name)
    for expert in experts[1:]:
        adapted.load_adapter(str(expert.weights), adapter_name=expert.name)
    for way, options in PEFT.items():
        names = [expert.name for expert in experts]
        adapted.add_weighted_adapter(names, [weight] * len(names), adapter_name=way, **options)
        tensors = {
            f"{name}.weight": layer.get_delta_weight(way).detach()
            for name, layer in adapted.base_model.model.named_modules()
            if isinstance(layer, BaseTunerLayer)
        }
        found[way] = errors(tensors, true)
    return found


def errors(found: Mapping[str, Tensor], true: Mapping[str, Tensor]) -> dict[str, float]:
    off = {name: float((found[name] - tensor).norm()) for name, tensor in true.items()}
    size = {name: float(tensor.norm()) for name, tensor in true.items()}
    whole = sum(one**2 for one in off.values()) ** 0.5 / sum(one**2 for one in size.values()) ** 0.5
    return {"error": whole, "worst": max(off[name] / size[name] for name in true)}


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="*", type=Path, help="adapters of one base, instead of training three")
    parser.add_argument("--quick", action="store_true", help="ten steps of training: under a minute")
    parser.add_argument("--steps", type=int, default=60, help="of training, each adapter")
    chosen = parser.parse_args(arguments)
    steps = 10 if chosen.quick else chosen.steps
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(sys.stderr):
        rows = measure(chosen.folders or train_experts(Path(folder), steps), Path(folder))
    print(f"{'':18}{'error':>10}{'worst tensor':>14}")
    for way, row in rows.items():
        print(f"{way:18}{row['error']:10.2g}{row['worst']:14.2g}")
    kept = {"steps": None if chosen.folders else steps, "torch": torch.__version__}
    print("\n" + json.dumps({"benchmark": "lora_merge", "results": rows} | kept))


if __name__ == "__main__":
    main()

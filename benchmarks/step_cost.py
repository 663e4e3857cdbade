"""What the dynamic adaptive loss adds to a training step.

The model has the shape of MiniLM (22M parameters, random weights) and three tasks on its mean-pooled features. One
process trains it, taking turns between two ways to one scalar from the same losses: their plain sum, and
`DynamicAdaptiveLoss` with all it does. A step is forward, scalar, backward, AdamW step.

    python benchmarks/step_cost.py [--quick]
"""

import argparse
import json
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from transformers import AutoModel, BertConfig

from equipoise.balancing import DynamicAdaptiveLoss

ROWS, TOKENS, WIDTH, GOAL = 32, 32, 384, 1.10
KINDS = {"intensity": "regression", "disagreement": "regression", "polarity": "classification"}


class Model(nn.Module):
    """MiniLM's shape, mean pooling, one linear task module a task."""

    def __init__(self) -> None:
        super().__init__()
        shape = {"hidden_size": WIDTH, "num_hidden_layers": 6, "num_attention_heads": 12, "intermediate_size": 1536}
        self.backbone = AutoModel.from_config(BertConfig(vocab_size=30522, **shape), add_pooling_layer=False)
        self.modules_ = nn.ModuleDict({task: nn.Linear(WIDTH, 3 if task == "polarity" else 1) for task in KINDS})

    def forward(self, tokens: Tensor, targets: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the pooled features and the per-example losses."""
        features = self.backbone(tokens).last_hidden_state.mean(1)
        outputs = {task: module(features) for task, module in self.modules_.items()}
        return features, {
            task: nn.functional.cross_entropy(output, targets[task], reduction="none")
            if KINDS[task] == "classification"
            else (output.squeeze(1) - targets[task]).square()
            for task, output in outputs.items()
        }


def measure(seconds: float) -> dict[str, list[float]]:
    """Take steps in turns, changing who goes first, until the time is up; return their times in seconds."""
    torch.manual_seed(0)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = Model().to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5)
    balance = DynamicAdaptiveLoss(KINDS)
    scalars: dict[str, Callable[[Tensor, dict[str, Tensor], dict[str, Tensor]], Tensor]] = {
        "equal": lambda features, losses, targets: sum(loss.mean() for loss in losses.values()),
        "dao": lambda features, losses, targets: balance(losses, features=features, targets=targets),
    }

    def step(name: str) -> float:
        tokens = torch.randint(30522, (ROWS, TOKENS), device=device)
        scores = {task: torch.randn(ROWS, device=device) for task in ("intensity", "disagreement")}
        targets = {**scores, "polarity": torch.randint(3, (ROWS,), device=device)}
        if device == "cuda":
            torch.cuda.synchronize()
        start = time.perf_counter()
        features, losses = model(tokens, targets)
        scalar = scalars[name](features, losses, targets)
        optimizer.zero_grad()
        scalar.backward()
        optimizer.step()
        if device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - start

    for name in scalars:
        step(name)
    times: dict[str, list[float]] = {name: [] for name in scalars}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        order = list(scalars) if len(times["dao"]) % 2 else list(reversed(scalars))
        for name in order:
            times[name].append(step(name))
    return times


def ratio_interval(times: dict[str, list[float]], draws: int = 2000) -> tuple[float, float, float]:
    """Return the median over turns of the ratio of times, and its 95 % interval by bootstrap over turns."""
    ratios = np.array(times["dao"]) / np.array(times["equal"])
    turns = np.random.default_rng(0).integers(len(ratios), size=(draws, len(ratios)))
    low, high = np.quantile(np.median(ratios[turns], axis=1), [0.025, 0.975])
    return float(np.median(ratios)), float(low), float(high)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="at most a minute")
    seconds = 30 if parser.parse_args().quick else 240
    times = measure(seconds)
    ratio, low, high = ratio_interval(times)
    medians = {name: 1000 * float(np.median(values)) for name, values in times.items()}
    print("MiniLM, 3 tasks, batch 32 × 32 tokens, full training step\n")
    print(f"{'':8}{'median ms':>10}{'ratio':>8}   95 % interval")
    print(f"{'equal':8}{medians['equal']:10.1f}{1:8.3f}")
    print(f"{'dao':8}{medians['dao']:10.1f}{ratio:8.3f}   {low:.3f} to {high:.3f}  (goal: at most {GOAL:.2f})\n")
    result = {"benchmark": "step_cost", "ratio": round(ratio, 4), "low": round(low, 4), "high": round(high, 4)}
    setting = {"turns": len(times["dao"]), "threads": torch.get_num_threads(), "torch": torch.__version__}
    print(json.dumps(result | {"goal": GOAL, "ms": {k: round(v, 2) for k, v in medians.items()}} | setting))


if __name__ == "__main__":
    main()

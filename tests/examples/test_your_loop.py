"""The loops of docs/your_loop.md run as they stand."""

import re
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from equipoise import DynamicAdaptiveLoss

PAGE = (Path(__file__).parents[2] / "docs" / "your_loop.md").read_text(encoding="utf-8")
BLOCKS = {
    title: re.findall(r"^```python\n(.*?)^```$", text, flags=re.S | re.M)
    for title, text in re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE, flags=re.S | re.M)
}
LOOPS = [title for title, blocks in BLOCKS.items() if blocks]


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = nn.Sequential(nn.Linear(4, 8), nn.Tanh())
        self.score, self.polarity = nn.Linear(8, 1), nn.Linear(8, 2)

    def forward(self, x):
        self.features = self.backbone(x)
        return self.score(self.features).squeeze(1), self.polarity(self.features)


def task_losses(model, batch):
    score, logits = model(batch["x"])
    return {
        "score": (score - batch["score"]).square(),
        "polarity": cross_entropy(logits.float(), batch["polarity"], reduction="none"),
    }


def test_there_are_loops():
    assert LOOPS == ["Plain PyTorch", "After the step", "Accumulation", "Mixed precision", "transformers.Trainer"]


@pytest.mark.parametrize("title", LOOPS)
def test_the_loop_trains(title):
    torch.manual_seed(0)
    model = Model()
    x = torch.randn(80, 4)
    batches = [{"x": part, "score": 5 * part.sum(1), "polarity": (part[:, 0] > 0).long()} for part in x.split(8)]
    names = {
        "torch": torch,
        "cross_entropy": cross_entropy,
        "loader": batches,
        "steps": [batches[:5], batches[5:]],
        "model": model,
        "backbone": model.backbone,
        "score_head": model.score,
        "polarity_head": model.polarity,
        "optimizer": torch.optim.SGD(model.parameters(), lr=0.02),
        "task_losses": task_losses,
        "balance": DynamicAdaptiveLoss(["score", "polarity"]),
        "device": "cpu",
        "scaler": torch.amp.GradScaler("cpu"),
    }
    before = {task: loss.mean().item() for task, loss in task_losses(model, batches[0]).items()}
    exec(BLOCKS[title][-1], names)  # a section ends in its loop
    if title == "transformers.Trainer":
        found = names["MyTrainer"].compute_task_losses(None, model, batches[0])
        assert found.losses.keys() == before.keys()
        return
    after = {task: loss.mean().item() for task, loss in task_losses(model, batches[0]).items()}
    assert all(after[task] < before[task] for task in before)
    assert sum(names["balance"].weights.values()) == pytest.approx(2)

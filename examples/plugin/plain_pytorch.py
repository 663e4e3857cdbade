"""A balancer in a plain PyTorch loop: two tasks, losses that differ 100-fold, rows without a class."""

import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, TensorDataset

from equipoise import DynamicAdaptiveLoss

torch.manual_seed(0)
x = torch.randn(512, 16)
score = 5 * x[:, :4].sum(1)
polarity = (x[:, 2:6].sum(1) > 0).long()
polarity[torch.rand(512) < 0.5] = -1  # half of the rows have no class
loader = DataLoader(TensorDataset(x, score, polarity), batch_size=32, shuffle=True)

backbone = nn.Sequential(nn.Linear(16, 32), nn.Tanh())
score_module, polarity_module = nn.Linear(32, 1), nn.Linear(32, 2)
balance = DynamicAdaptiveLoss(["score", "polarity"])
model = nn.ModuleList([backbone, score_module, polarity_module, balance])
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)

for epoch in range(6):
    for inputs, y, k in loader:
        h = backbone(inputs)
        rows = (k >= 0).nonzero().flatten()  # the labelled rows only
        losses = {
            "score": (score_module(h).squeeze(1) - y).square(),
            "polarity": cross_entropy(polarity_module(h[rows]), k[rows], reduction="none"),
        }
        loss = balance(losses, features=h)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print({"epoch": epoch, **{f"loss/{task}": value for task, value in balance.losses.items()}})
    print({"epoch": epoch, **{f"weight/{task}": value for task, value in balance.weights.items()}})

"""A balancer in an accelerate loop: several processes, mixed precision, accumulation. Try accelerate launch --cpu."""

import torch
from accelerate import Accelerator
from torch import nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, TensorDataset

from equipoise import DynamicAdaptiveLoss


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = nn.Sequential(nn.Linear(16, 32), nn.Tanh())
        self.score, self.polarity = nn.Linear(32, 1), nn.Linear(32, 2)

    def forward(self, inputs):
        self.features = self.backbone(inputs)  # kept inside: accelerate may copy what comes out
        return self.score(self.features).squeeze(1), self.polarity(self.features)


accelerator = Accelerator(gradient_accumulation_steps=2, mixed_precision="bf16")
torch.manual_seed(0)
x = torch.randn(512, 16)
y, k = 5 * x[:, :4].sum(1), (x[:, 2:6].sum(1) > 0).long()
balance = DynamicAdaptiveLoss(["score", "polarity"])
model = Model()
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-2)
loader = DataLoader(TensorDataset(x, y, k), batch_size=16, shuffle=True)
model, optimizer, loader = accelerator.prepare(model, optimizer, loader)
for epoch in range(6):
    for inputs, y, k in loader:
        with accelerator.accumulate(model):
            score, logits = model(inputs)
            losses = {"score": (score - y).square(), "polarity": cross_entropy(logits, k, reduction="none")}
            counts = dict.fromkeys(losses, 2 * len(y))  # labels in both micro-batches of this process
            h = accelerator.unwrap_model(model).features
            loss = balance(losses, features=h, counts=counts)
            accelerator.backward(2 * loss)  # accelerate halves it, the balancer has divided by the counts
            optimizer.step()
            optimizer.zero_grad()
        if accelerator.sync_gradients:
            balance.after_step(skipped=accelerator.optimizer_step_was_skipped)
    accelerator.print({"epoch": epoch, **{f"loss/{task}": value for task, value in balance.losses.items()}})
    accelerator.print({"epoch": epoch, **{f"weight/{task}": value for task, value in balance.weights.items()}})

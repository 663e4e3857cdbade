"""A balancer in Lightning: as a submodule of the module, so that every checkpoint holds its state."""

import pytorch_lightning as lightning
import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, TensorDataset

from equipoise import DynamicAdaptiveLoss


class Module(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.backbone = nn.Sequential(nn.Linear(16, 32), nn.Tanh())
        self.score, self.polarity = nn.Linear(32, 1), nn.Linear(32, 2)
        self.balance = DynamicAdaptiveLoss(["score", "polarity"])

    def training_step(self, batch, index):
        inputs, y, k = batch
        h = self.backbone(inputs)
        losses = {
            "score": (self.score(h).squeeze(1) - y).square(),
            "polarity": cross_entropy(self.polarity(h), k, reduction="none"),
        }
        loss = self.balance(losses, features=h)
        self.log_dict({f"loss/{task}": value for task, value in self.balance.losses.items()})
        self.log_dict({f"weight/{task}": value for task, value in self.balance.weights.items()})
        return loss

    def on_train_epoch_end(self):
        self.balance.on_epoch_end()
        print({name: value.item() for name, value in self.trainer.callback_metrics.items()})

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=1e-2)


torch.manual_seed(0)
x = torch.randn(512, 16)
data = TensorDataset(x, 5 * x[:, :4].sum(1), (x[:, 2:6].sum(1) > 0).long())
settings = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "accelerator": "cpu"}
lightning.Trainer(max_epochs=6, **settings).fit(Module(), DataLoader(data, batch_size=32, shuffle=True))

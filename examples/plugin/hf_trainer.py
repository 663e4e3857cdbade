"""A balancer in your own transformers.Trainer: implement compute_task_losses, and all else stays as you know it."""

import tempfile

import torch
from torch import nn
from torch.nn.functional import cross_entropy
from transformers import BertConfig, BertModel, Trainer, TrainingArguments

from equipoise import DynamicAdaptiveLoss
from equipoise.training import BalancedTrainerMixin, TaskLosses


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}
        self.backbone = BertModel(BertConfig(vocab_size=50, **sizes))
        self.score, self.polarity = nn.Linear(32, 1), nn.Linear(32, 2)

    def forward(self, input_ids):
        features = self.backbone(input_ids).last_hidden_state
        return self.score(features.mean(1)).squeeze(1), self.polarity(features.mean(1))


class MyTrainer(BalancedTrainerMixin, Trainer):
    def compute_task_losses(self, model, inputs):
        score, logits = model(inputs["input_ids"])
        losses = {"score": (score - inputs["score"]).square()}
        losses["polarity"] = cross_entropy(logits, inputs["polarity"], reduction="none")
        return TaskLosses(losses, outputs=(None, score, logits))


torch.manual_seed(0)
words = torch.randint(50, (512, 8))
good = (words < 25).sum(1)  # the first half of the vocabulary is good words
rows = [{"input_ids": w, "score": 5.0 * g - 20, "polarity": int(g > 4)} for w, g in zip(words, good, strict=True)]
balance = DynamicAdaptiveLoss(["score", "polarity"])
settings = {"num_train_epochs": 2, "per_device_train_batch_size": 16, "learning_rate": 5e-3, "logging_steps": 16}
settings |= {"label_names": list(balance.tasks), "save_strategy": "no", "report_to": "none", "disable_tqdm": True}
arguments = TrainingArguments(tempfile.mkdtemp(), **settings)
MyTrainer(Model(), arguments, train_dataset=rows, balancer=balance, features="backbone").train()

"""Experts on the disk: adapters that change something, as after training."""

import torch
from transformers import AutoModel, AutoTokenizer

from equipoise.modeling import MultiTaskModel, add_adapter, load_backbone
from prompted import make_tasks


def save_model(folder, base, tasks, seed, **options):
    """Save a model with a LoRA adapter; `options` are those of `add_adapter`."""
    torch.manual_seed(seed)
    asked = any(task.format == "prompt" for task in tasks.values())
    backbone, tokenizer = load_backbone(str(base), language_model=asked)
    add_adapter(backbone, **options)
    model = MultiTaskModel(backbone, tokenizer, tasks, 128, base=str(base)).eval()
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    model.save_pretrained(folder)
    return model


def one(**formats):
    """Return only the tasks named, in the formats given."""
    tasks = make_tasks(**formats)
    return {name: tasks[name] for name in formats}


def save_two(folder, base, **options):
    """Save two experts of different tasks, called by these."""
    for seed, task in enumerate(("polarity", "intensity")):
        save_model(folder / task, base, one(**{task: "head"}), seed, **options)


def save_checkpoint(folder, base, loader=AutoModel, seed=0, **options):
    """Save a fully tuned copy of a base: every tensor differs."""
    torch.manual_seed(seed)
    model = loader.from_pretrained(base, **options)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.01)
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(base).save_pretrained(folder)
    return model

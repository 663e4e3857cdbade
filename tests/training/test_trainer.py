import numpy as np
import pytest
import torch

from corpus import run_data
from equipoise.balancing import make_balancer
from equipoise.config import TrainConfig, make_config
from equipoise.data import Collator, FlatRows, MixedLengthSampler, load_table, tokenize
from equipoise.modeling import MultiTaskModel, load_backbone
from equipoise.training import MultiTaskTrainer, TrainingBatches
from equipoise.training import arguments as arguments_module


@pytest.fixture
def make_trainer(tmp_path, tiny_model):
    config = make_config(run_data(tmp_path, tiny_model))
    table = load_table(config)

    def make(balance="equal", **train):
        settings = config.train.model_copy(update=train)
        torch.manual_seed(0)
        model = MultiTaskModel(*load_backbone(str(tiny_model)), table.tasks, 32)
        rows, _ = tokenize(table.splits["train"], model.tokenizer, 32)
        kinds = {name: task.kind for name, task in table.tasks.items()}
        return MultiTaskTrainer(
            model=model,
            balancer=make_balancer(balance, kinds),
            batches=TrainingBatches(
                rows,
                MixedLengthSampler(rows["length"], rows["source"], settings.batch_size),
                Collator(model.tokenizer, table.tasks),
            ),
            score_dev=lambda: {"run_score": 0.0},
            config=settings,
            folder=tmp_path / "run",
        )

    return make


def gradients(trainer, batches):
    trainer.model.eval()  # no dropout
    trainer.model.zero_grad()
    trainer.get_batch_samples(iter(batches), len(batches), torch.device("cpu"))
    for batch in batches:
        trainer.compute_loss(trainer.model, batch).backward()
    return {name: parameter.grad.clone() for name, parameter in trainer.model.named_parameters()}


def test_accumulated_batches_give_the_gradient_of_the_joined_batch(make_trainer):
    """Also where the parts hold different numbers of each task's labels."""
    whole = make_trainer()
    parts = make_trainer(gradient_accumulation=3)
    items = [whole.train_dataset[number] for number in (*range(20), *range(130, 150))]
    joined = gradients(whole, [whole.data_collator(items)])
    summed = gradients(parts, [parts.data_collator(part) for part in (items[:5], items[5:18], items[18:])])
    for name, gradient in joined.items():
        torch.testing.assert_close(summed[name], gradient, atol=1e-6, rtol=1e-4, msg=name)


def test_task_modules_have_their_own_rate_and_biases_no_decay(make_trainer):
    trainer = make_trainer(learning_rate=1e-4, head_learning_rate=1e-2, weight_decay=0.1)
    groups = trainer.create_optimizer().param_groups
    found = {id(parameter): (group["lr"], group["weight_decay"]) for group in groups for parameter in group["params"]}
    parameters = dict(trainer.model.named_parameters())
    assert len(found) == len(parameters)
    for name, parameter in parameters.items():
        rate = 1e-4 if name.startswith("backbone.") else 1e-2
        decay = 0.0 if name.endswith("bias") or "LayerNorm" in name else 0.1
        assert found[id(parameter)] == (rate, decay), name


def test_every_row_comes_once_an_epoch_and_in_another_order_the_next(make_trainer):
    trainer = make_trainer()
    loader = trainer.get_train_dataloader()
    epochs = []
    for epoch in range(2):
        loader.set_epoch(epoch)
        epochs.append([number for batch in loader for number in batch["index"].tolist()])
    assert sorted(epochs[0]) == sorted(epochs[1]) == list(range(len(trainer.train_dataset)))
    assert epochs[0] != epochs[1]


@pytest.mark.parametrize("device", ["cpu", "cuda", "mps"])
def test_batches_for_a_gpu_are_copied_while_it_computes(monkeypatch, tmp_path, device):
    monkeypatch.setattr(arguments_module, "choose_device", lambda: torch.device(device))
    arguments = arguments_module.make_arguments(TrainConfig(), tmp_path)
    assert arguments.dataloader_pin_memory == arguments.accelerator_config.non_blocking == (device == "cuda")


def test_rows_as_arrays_give_the_batches_of_rows_as_dictionaries(make_trainer):
    trainer, flat = make_trainer(), make_trainer()
    flat.train_dataset = FlatRows(flat.train_dataset)
    for one, other in zip(trainer.get_train_dataloader(), flat.get_train_dataloader(), strict=True):
        for kind, values in one.items():
            if isinstance(values, dict):
                for name, tensor in values.items():
                    torch.testing.assert_close(other[kind][name], tensor, rtol=0, atol=0)
            else:
                np.testing.assert_array_equal(other[kind], values)

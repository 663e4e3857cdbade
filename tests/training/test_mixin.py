"""The user's own `transformers.Trainer`, balanced."""

import math

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.nn.functional import cross_entropy
from transformers import Trainer, TrainerCallback, TrainingArguments

from equipoise.balancing import (
    Balancer,
    DynamicAdaptiveLoss,
    EqualWeights,
    LabelStats,
    NonFiniteLoss,
    UncertaintyWeighting,
)
from equipoise.errors import TrainingError
from equipoise.training import BalancedTrainerMixin, TaskLosses
from processes import in_two_processes

TASKS = {"score": "regression", "polarity": "classification"}


class Toy(nn.Module):
    def __init__(self, dropout=0.0):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Dropout(dropout))
        self.score, self.polarity = nn.Linear(8, 1), nn.Linear(8, 3)

    def forward(self, x):
        features = self.body(x)
        return self.score(features).squeeze(1), self.polarity(features)


class MyTrainer(BalancedTrainerMixin, Trainer):
    def compute_task_losses(self, model, inputs):
        scores, logits = model(inputs["x"])
        classed = inputs["polarity"] >= 0
        losses = {
            "score": (scores - inputs["score"]).square(),
            "polarity": cross_entropy(logits[classed], inputs["polarity"][classed], reduction="none"),
        }
        targets = {"score": inputs["score"], "polarity": inputs.pop("polarity")[classed]}
        return TaskLosses(losses, targets=targets, outputs=(None, scores, logits))

    def count_labels(self, inputs):
        return {"score": len(inputs["score"]), "polarity": (inputs["polarity"] >= 0).sum()}


class Watched(Balancer):
    """Keeps what it is told to learn from."""

    needs_next_losses = True

    def __init__(self, tasks):
        super().__init__(tasks)
        self.learnt = []

    def compute_weights(self, losses, gradients, tasks):
        return torch.ones_like(losses)

    def learn(self, losses, next_losses, tasks):
        self.learnt.append((losses, next_losses))


def rows(count=48, *, first_without=0):
    """Rows with a score each and a class on about half of them, none on the first ones."""
    random = torch.Generator().manual_seed(0)
    x = torch.randn(count, 4, generator=random)
    score = 30 * x.sum(1)
    polarity = torch.where(torch.rand(count, generator=random) < 0.5, (x[:, 0] > 0).long(), -100)
    polarity[:first_without] = -100
    return [{"x": x[i], "score": score[i], "polarity": polarity[i]} for i in range(count)]


def dao():
    data = rows()
    score, polarity = (torch.stack([row[task] for row in data]) for task in TASKS)
    stats = {
        "score": LabelStats.fit("regression", score),
        "polarity": LabelStats.fit("classification", polarity[polarity >= 0]),
    }
    return DynamicAdaptiveLoss(TASKS, example_weights=True, label_stats=stats)


def make(folder, balancer=None, *, dropout=0.0, data=None, trainer=MyTrainer, features="body", **arguments):
    data = data or rows()
    torch.manual_seed(0)
    settings = {
        "per_device_train_batch_size": 8,
        "max_steps": 6,
        "logging_steps": 1,
        "save_strategy": "no",
        "learning_rate": 1e-2,
        "lr_scheduler_type": "constant",
        "label_names": ["score", "polarity"],
        "use_cpu": True,
        "report_to": "none",
        "disable_tqdm": True,
        "train_sampling_strategy": "sequential",
        **arguments,
    }
    return trainer(
        model=Toy(dropout),
        args=TrainingArguments(output_dir=str(folder), **settings),
        train_dataset=data,
        eval_dataset=data[:16],
        balancer=balancer or dao(),
        features=features,
    )


def steps(trainer):
    return [line for line in trainer.state.log_history if "grad_norm" in line]


def parameters(trainer):
    return [parameter.detach().clone() for parameter in trainer.model.parameters()]


def assert_same(state, other):
    torch.testing.assert_close(state, other, rtol=0, atol=0, equal_nan=True)


def test_task_losses_and_weights_are_logged(tmp_path):
    trainer = make(tmp_path, DynamicAdaptiveLoss(TASKS))
    trainer.train()
    for line in steps(trainer):
        weighted = sum(line[f"weight/{task}"] * line[f"loss/{task}"] for task in TASKS)
        assert line["loss"] == pytest.approx(weighted, rel=1e-4)
        assert line["weight/score"] + line["weight/polarity"] == pytest.approx(2)
        # The scores are thirty times as large.
        assert line["weight/score"] < 0.2


def test_a_log_is_the_mean_since_the_last_one(tmp_path):
    often, seldom = make(tmp_path / "often"), make(tmp_path / "seldom", logging_steps=3)
    often.train()
    seldom.train()
    for task in TASKS:
        mean = sum(line[f"weight/{task}"] for line in steps(often)[3:]) / 3
        assert steps(seldom)[1][f"weight/{task}"] == pytest.approx(mean)
    mean = sum(line["loss/score"] for line in steps(often)[:3]) / 3
    assert steps(seldom)[0]["loss/score"] == pytest.approx(mean)


def test_a_task_missing_from_a_batch(tmp_path):
    trainer = make(tmp_path, data=rows(first_without=8), max_steps=2)
    trainer.train()
    first, second = steps(trainer)
    assert "loss/polarity" not in first
    assert first["weight/score"] == 1
    assert second["weight/polarity"] > 1


@pytest.mark.parametrize("accumulation", [1, 2])
@pytest.mark.parametrize("rule", [DynamicAdaptiveLoss, UncertaintyWeighting])
def test_resumed_is_uninterrupted(tmp_path, rule, accumulation):
    settings = {
        "dropout": 0.3,
        "save_strategy": "steps",
        "save_steps": 4,
        "gradient_accumulation_steps": accumulation,
        "max_steps": 8,
    }
    whole, resumed = make(tmp_path, rule(TASKS), **settings), make(tmp_path, rule(TASKS), **settings)
    whole.train()
    assert (tmp_path / "checkpoint-4" / "balancer.pt").is_file()
    resumed.train(resume_from_checkpoint=str(tmp_path / "checkpoint-4"))
    for one, other in zip(parameters(whole), parameters(resumed), strict=True):
        assert (one == other).all()
    for one, other in zip(steps(whole)[4:], steps(resumed)[4:], strict=True):
        assert one == other
    state, other = whole.balancer.state_dict(), resumed.balancer.state_dict()
    assert_same(state, other)


def test_a_checkpoint_without_the_balancers_state_is_named(tmp_path):
    trainer = make(tmp_path, save_strategy="steps", save_steps=2, max_steps=2)
    trainer.train()
    (tmp_path / "checkpoint-2" / "balancer.pt").unlink()
    with pytest.raises(TrainingError, match=r"checkpoint-2/balancer.pt: no such file"):
        make(tmp_path, max_steps=4).train(resume_from_checkpoint=str(tmp_path / "checkpoint-2"))


def test_accumulated_batches_train_like_the_joined_batch(tmp_path):
    joined = make(tmp_path / "joined", EqualWeights(TASKS), per_device_train_batch_size=16)
    parts = make(tmp_path / "parts", EqualWeights(TASKS), gradient_accumulation_steps=4, per_device_train_batch_size=4)
    joined.train()
    parts.train()
    for one, other in zip(parameters(joined), parameters(parts), strict=True):
        torch.testing.assert_close(one, other)
    for one, other in zip(steps(joined), steps(parts), strict=True):
        assert one == pytest.approx(other, rel=1e-4)


def test_accumulation_asks_for_the_label_counts(tmp_path):
    class Without(BalancedTrainerMixin, Trainer):
        compute_task_losses = MyTrainer.compute_task_losses

    with pytest.raises(NotImplementedError, match=r"implement `Without.count_labels"):
        make(tmp_path, trainer=Without, gradient_accumulation_steps=2).train()


def test_evaluation_in_between_changes_nothing(tmp_path):
    def means(prediction):
        return {"mean": float(prediction.predictions[0].mean())}

    plain, scored = make(tmp_path / "plain"), make(tmp_path / "scored", eval_strategy="steps", eval_steps=1)
    scored.compute_metrics = means
    plain.train()
    scored.train()
    assert len([line for line in scored.state.log_history if math.isfinite(line.get("eval_loss", math.nan))]) == 6
    assert "eval_mean" in scored.state.log_history[1]
    for one, other in zip(parameters(plain), parameters(scored), strict=True):
        assert (one == other).all()
    assert steps(plain) == steps(scored)


@pytest.mark.parametrize("accumulation", [1, 3])
def test_losses_after_the_update_are_those_of_the_same_batch(tmp_path, accumulation):
    balancer = Watched(TASKS)
    settings = {"gradient_accumulation_steps": accumulation, "per_device_train_batch_size": 8 // accumulation}
    # Nothing is updated, so nothing may differ: neither dropout nor rows nor scale.
    trainer = make(tmp_path, balancer, dropout=0.5, learning_rate=0.0, max_steps=3, **settings)
    trainer.train()
    assert len(balancer.learnt) == 3
    for losses, following in balancer.learnt:
        torch.testing.assert_close(losses, following, rtol=1e-6, atol=0)
    # Updated, the losses sink.
    moving = Watched(TASKS)
    make(tmp_path, moving, dropout=0.5, max_steps=3, **settings).train()
    assert all((following < losses).all() for losses, following in moving.learnt)


def test_the_second_forward_leaves_the_random_state_alone(tmp_path):
    plain = make(tmp_path, EqualWeights(TASKS), dropout=0.5)
    plain.train()
    watched = make(tmp_path, Watched(TASKS), dropout=0.5)
    watched.train()
    for one, other in zip(parameters(plain), parameters(watched), strict=True):
        assert (one == other).all()


def test_bfloat16(tmp_path):
    exact, rounded = make(tmp_path), make(tmp_path, bf16=True)
    seen = []
    rounded.model.body.register_forward_hook(lambda module, inputs, output: seen.append(output.dtype))
    exact.train()
    rounded.train()
    assert seen[0] == torch.bfloat16
    for line, other in zip(steps(exact), steps(rounded), strict=True):
        for key in ("loss/score", "weight/score", "weight/polarity"):
            assert other[key] == pytest.approx(line[key], rel=0.05)


def test_a_compiled_backbone(tmp_path):
    plain, compiled = make(tmp_path), make(tmp_path)
    compiled.model.body.compile(backend="aot_eager")
    plain.train()
    compiled.train()
    for one, other in zip(steps(plain), steps(compiled), strict=True):
        assert one == pytest.approx(other, rel=1e-3)


def test_compiled_task_modules_cannot_be_differentiated_alone(tmp_path):
    with pytest.raises(ValueError, match="compile the backbone alone"):
        make(tmp_path, torch_compile_backend="aot_eager")
    trainer = make(tmp_path, EqualWeights(TASKS), torch_compile_backend="aot_eager", max_steps=2)
    trainer.train()
    assert type(trainer.model_wrapped).__name__ == "OptimizedModule"


class Scaled(MyTrainer):
    """With the gradient scaler that float16 has on an accelerator."""

    def create_accelerator_and_postprocess(self):
        super().create_accelerator_and_postprocess()
        self.accelerator.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**120, growth_interval=100)


@pytest.mark.parametrize("optimiser", ["adamw_torch", "adamw_torch_fused"])
def test_steps_that_the_gradient_scaler_skips(tmp_path, optimiser):
    def overflow(self, model, grad_norm=None):
        return torch.tensor(math.inf if self.state.global_step < 2 else 1.0)

    balancer = Watched(TASKS)
    trainer = make(tmp_path, balancer, trainer=Scaled, max_steps=4, optim=optimiser)
    before = parameters(trainer)

    class First(TrainerCallback):
        def on_pre_optimizer_step(self, args, state, control, model=None, **more):
            if state.global_step < 2:
                for parameter in model.parameters():
                    parameter.grad.fill_(math.inf)

        def on_step_end(self, args, state, control, **more):
            if state.global_step == 2:
                assert not balancer.learnt
                assert all((one == other).all() for one, other in zip(before, parameters(trainer), strict=True))

    trainer.add_callback(First())
    trainer._get_grad_norm = overflow.__get__(trainer)
    trainer.train()
    assert len(balancer.learnt) == 2
    assert all(math.isfinite(value) for line in steps(trainer) for key, value in line.items() if key != "grad_norm")
    assert all(parameter.isfinite().all() for parameter in parameters(trainer))


def test_a_gradient_that_is_not_finite_ends_training(tmp_path):
    class Broken(MyTrainer):
        def _get_grad_norm(self, model, grad_norm=None):
            return torch.tensor(math.nan if self.state.global_step == 2 else 1.0)

    with pytest.raises(NonFiniteLoss, match="The gradient of step 3 is not finite"):
        make(tmp_path, trainer=Broken).train()


def test_an_infinite_loss_names_its_task(tmp_path):
    data = rows()
    data[11]["score"] = torch.tensor(1e30)
    with pytest.raises(NonFiniteLoss, match="task 'score'"):
        make(tmp_path, data=data).train()


@pytest.mark.parametrize(
    ("features", "message"), [(None, "pass `features=`"), ("bodi", r"Found 'bodi'\. Did you mean 'body'\?")]
)
def test_features_that_are_missing(tmp_path, features, message):
    with pytest.raises(ValueError, match=message):
        make(tmp_path, features=features).train()


def _train_and_keep(folder, batch, accumulation, rank=None):
    rank = dist.get_rank() if rank is None else rank
    torch.set_num_threads(1)
    trainer = make(
        folder / f"run-{rank}",
        data=rows(64, first_without=8),
        per_device_train_batch_size=batch,
        gradient_accumulation_steps=accumulation,
        max_steps=4 if accumulation == 1 else 2,
    )
    trainer.train()
    kept = dict(enumerate(parameters(trainer))) | trainer.balancer.state_dict()
    torch.save({"kept": kept, "steps": steps(trainer), "weights": trainer.balancer.weights}, folder / f"{rank}.pt")


@pytest.mark.parametrize("accumulation", [1, 2])
def test_two_processes_train_the_model_of_one(tmp_path, accumulation):
    """Also where a task is missing from one of them (the first eight rows have no class)."""
    ended = in_two_processes(_train_and_keep, tmp_path, 8, accumulation)
    assert [process.exit_code for process in ended] == [0, 0], ended
    _train_and_keep(tmp_path, 16, accumulation, rank="alone")
    first, second, alone = (torch.load(tmp_path / f"{rank}.pt") for rank in (0, 1, "alone"))
    assert first["weights"] == second["weights"]
    assert_same(first["kept"], second["kept"])
    for name, value in first["kept"].items():
        torch.testing.assert_close(value, alone["kept"][name], rtol=1e-4, atol=1e-5, equal_nan=True, msg=str(name))
    for line, other in zip(first["steps"], alone["steps"], strict=True):
        assert line == pytest.approx(other, rel=1e-3)

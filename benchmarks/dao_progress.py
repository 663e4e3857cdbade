"""Does the dynamic adaptive loss waste its weight on a task that is nearly solved, and does it cost anything?

    EQUIPOISE_DATA=… python benchmarks/dao_progress.py [--quick] [--seeds 5] [--suites three five] [--output FILE.jsonl]

MiniLM learns two suites, each with equal weights, with λ ∝ 1 / |g| (the paper's rule) and with rules that take weight
from a task that has little left to learn:

- three: the quickstart's intensity, polarity and disagreement of the starter corpus `vader`;
- five: emotion, irony and offence of tweets, the polarity of laptops' aspects, and `marks`, a multilabel task that is
  soon solved: whether a tweet of the emotion data has a hashtag or mentions a user (it holds "#" or "@user").

A cell is one training with one rule and one seed; dev is scored, test is not looked at. With `--output` a finished cell
is one line of JSON, and called again only what is missing is trained. The table has the run score on dev with 95 %
t-intervals over seeds, the paired differences to `equal` and to the paper's rule, and the mean weight of the task that
has the most in the last third of the steps under the paper's rule.
"""

import argparse
import hashlib
import json
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader

from equipoise.balancing import Balancer, DynamicAdaptiveLoss, make_balancer
from equipoise.balancing.initial_losses import InitialLosses
from equipoise.config import load_config
from equipoise.data import Collator, FlatRows, MixedLengthSampler, load_table
from equipoise.evaluation import predict_split, run_score, score_predictions, tune_tasks
from equipoise.evaluation.statistics import Estimate, mean_interval
from equipoise.files import append_json_line, read_json_lines
from equipoise.modeling import FrozenLayers, MultiTaskModel
from equipoise.training.building import build_model, encode_table
from measuring import setting

PAPER: dict[str, Any] = {"name": "dao", "progress": 0.0}
ROWS: dict[str, dict[str, Any]] = {
    "equal": {"name": "equal"},
    "paper": PAPER,
    "progress 0.5": PAPER | {"progress": 0.5},
    "progress 1": PAPER | {"progress": 1.0},
    "relative floor 0.5": {"name": "relative_floor", "share": 0.5},
}
QUICK_ROWS = ("paper", "progress 1")
SETTINGS: dict[str, Any] = {
    "max_length": 48,
    "freeze_layers": 5,
    "batch_size": 16,
    "learning_rate": 3e-4,
    "head_learning_rate": 1e-3,
}
MARKS = {"hashtag": "#", "mention": "@user"}
SPLITS = ("train", "dev", "test")


class RelativeFloor(DynamicAdaptiveLoss):
    """The paper's rule with a floor under |g_t| that looks at the other tasks.

    u_t is |g_t| over its mean in the first ten steps; u_t counts as `share` times the median of the others' or more.
    """

    def __init__(self, tasks: dict[str, str], *, share: float) -> None:
        super().__init__(tasks, progress=0.0)
        self._share, self._first = share, InitialLosses(len(tasks))

    def compute_weights(self, losses: Tensor, gradients: Tensor | None, tasks: Sequence[str]) -> Tensor:
        """Return 1 / |g_t| with that floor."""
        assert gradients is not None
        norms, rows = gradients.diagonal().sqrt(), self._indices(tasks)
        self._first.record(rows, norms)
        relative = self._first.ratios(rows, norms)
        peers = [torch.cat([relative[:i], relative[i + 1 :], relative[: len(rows) == 1]]) for i in range(len(rows))]
        least = self._share * torch.stack([one.quantile(0.5) for one in peers]) * norms / relative
        return 1 / (1 / super().compute_weights(losses, gradients, tasks)).maximum(least)


class Cell(NamedTuple):
    """One training."""

    suite: str
    row: str
    seed: int


def three_tasks(folder: Path, rows: int) -> dict[str, Any]:
    """Return sources and tasks of the quickstart."""
    thresholds = {"classes": ["negative", "neutral", "positive"], "thresholds": [-0.5, 0.5]}
    limit = {"train": 2 * rows, "dev": min(2 * rows, 400), "test": 20}
    return {
        "sources": {"vader": {"starter": "vader", "group": "document", "limit": limit}},
        "tasks": {
            "intensity": {"source": "vader", "kind": "regression", "label": "score", "range": [-4, 4]},
            "polarity": {"source": "vader", "kind": "classification", "label": "score", "from_score": thresholds},
            "disagreement": {"source": "vader", "kind": "regression", "label": "disagreement", "range": [0, 4]},
        },
    }


def five_tasks(folder: Path, rows: int) -> dict[str, Any]:
    """Return sources and tasks of four data sets, and write the emotion data with the labels of `marks`."""
    data = Path(os.environ["EQUIPOISE_DATA"])
    for split in SPLITS:
        marked = folder / f"{split}.jsonl"
        marked.unlink(missing_ok=True)
        for row in read_json_lines(data / "tweet_emotion" / f"{split}.jsonl"):
            marks = [name for name, sign in MARKS.items() if sign in row["text"]]
            append_json_line(marked, row | {"marks": marks})
    homes = {
        "emotion": folder,
        "irony": data / "tweet_irony",
        "offence": data / "tweet_offensive",
        "laptops": data / "absa_laptop14",
    }
    limit = {"train": rows, "dev": min(rows, 200), "test": 20}
    tasks = {name: {"source": name, "kind": "classification"} for name in homes}
    return {
        "sources": {
            name: {"limit": limit} | {split: str(home / f"{split}.jsonl") for split in SPLITS}
            for name, home in homes.items()
        },
        "tasks": tasks
        | {"laptops": tasks["laptops"] | {"pair": "aspect"}}
        | {"marks": {"source": "emotion", "kind": "multilabel", "label": "marks"}},
    }


SUITES = {"three": three_tasks, "five": five_tasks}


class Bench:
    """One suite: its rows, and a model of which only the uppermost layer and the heads are trained.

    What the frozen layers make of a row is computed once for all trainings.

    Args:
        suite: its name.
        rows: training rows of each source.
        epochs: how often a training goes through them.
    """

    def __init__(self, suite: str, rows: int, epochs: int) -> None:
        self.suite, self.settings = suite, SETTINGS | {"train_rows": rows, "epochs": epochs}
        with tempfile.TemporaryDirectory() as folder:
            train = {"epochs": epochs, "freeze_layers": SETTINGS["freeze_layers"], "batch_size": SETTINGS["batch_size"]}
            common = {"model": "minilm", "max_length": SETTINGS["max_length"], "train": train, "output": "run"}
            file = Path(folder) / "run.yaml"
            file.write_text(json.dumps(SUITES[suite](Path(folder), rows) | common), encoding="utf-8")
            self.config = load_config(file)
            self.table = load_table(self.config)
        self.model = self._new_model(0)
        self.rows, _ = encode_table(self.table, self.model)
        self.frozen = FrozenLayers(self.model, SETTINGS["freeze_layers"], room=4)

    def key(self, cell: Cell) -> str:
        """Name a cell by all that decides its result."""
        said = json.dumps([ROWS[cell.row], self.settings], sort_keys=True)
        return f"{cell.suite}/{cell.row}/{cell.seed}/{hashlib.sha256(said.encode()).hexdigest()[:8]}"

    def run(self, cell: Cell) -> dict[str, Any]:
        """Train one cell, and return its record."""
        begun = time.perf_counter()
        self.model.load_state_dict(self._new_model(cell.seed).state_dict())
        with self.frozen.cached():
            steps = self._train(cell)
            found = predict_split(self.model, self.table, self.rows["dev"], "dev", batch_size=64)
        table = tune_tasks(found, self.table)
        records = score_predictions(found, table, "dev")
        late = steps[-(len(steps) // 3) :]
        return {
            "key": self.key(cell),
            **cell._asdict(),
            "dev": run_score(records, table.tasks),
            "tasks": {one["task"]: one["value"] for one in records if one["metric"] == table.tasks[one["task"]].metric},
            "weights": _mean_by_task([weights for weights, _ in late]),
            "losses": _mean_by_task([losses for _, losses in late]),
            "seconds": time.perf_counter() - begun,
        }

    def _new_model(self, seed: int) -> MultiTaskModel:
        settings = self.config.train.model_copy(update={"seed": seed})
        return build_model(self.config.model_copy(update={"train": settings}), self.table)

    def _train(self, cell: Cell) -> list[tuple[dict[str, float], dict[str, float]]]:
        """Train the model; return the task weights and losses of every step, of the tasks that it has."""
        model, rows, settings = self.model.train(), self.rows["train"], self.config.train
        kinds = {name: task.kind for name, task in self.table.tasks.items()}
        balancer = _make_balancer(kinds, **ROWS[cell.row])
        sampler = MixedLengthSampler(rows["length"], rows["source"], settings.batch_size, seed=cell.seed)
        collate = Collator(model.tokenizer, self.table.tasks)
        loader = DataLoader(FlatRows(rows), settings.batch_size, sampler=sampler, collate_fn=collate)
        epochs = int(settings.epochs)
        optimizer, schedule = _make_optimizer(model, epochs * len(loader))
        captured: list[Tensor] = []
        hook = model.features.register_forward_hook(lambda module, given, output: captured.append(output))
        torch.manual_seed(cell.seed)
        steps = []
        for epoch in range(epochs):
            sampler.set_epoch(epoch)
            for batch in loader:
                outputs = model(batch["inputs"], batch["rows"], batch["scored"])
                losses = model.losses(outputs, batch["targets"])
                balancer(losses, features=captured.pop()).backward()
                torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()
                schedule.step()
                optimizer.zero_grad()
                steps.append(({task: balancer.weights[task] for task in balancer.losses}, balancer.losses))
        hook.remove()
        return steps


def _make_balancer(kinds: dict[str, str], name: str, **options: Any) -> Balancer:
    return RelativeFloor(kinds, **options) if name == "relative_floor" else make_balancer(name, kinds, options)


def _make_optimizer(model: MultiTaskModel, steps: int) -> tuple[AdamW, LambdaLR]:
    """AdamW as in a run: a rate of their own for the heads, a short warm-up, then a linear fall to zero."""
    own = {id(parameter) for parameter in model.task_parameters()}
    groups = [
        {"params": [one for one in model.parameters() if one.requires_grad and (id(one) in own) == module], "lr": rate}
        for module, rate in ((False, SETTINGS["learning_rate"]), (True, SETTINGS["head_learning_rate"]))
    ]
    optimizer = AdamW(groups, weight_decay=0.01)
    warm = max(1, steps // 10)
    return optimizer, LambdaLR(optimizer, lambda step: min((step + 1) / warm, (steps - step) / max(1, steps - warm)))


def _mean_by_task(found: Sequence[dict[str, float]]) -> dict[str, float]:
    """Return each task's mean over the steps that have it."""
    return {task: float(np.mean([one[task] for one in found if task in one])) for task in set().union(*found)}


def run_all(cells: Sequence[Cell], benches: dict[str, Bench], output: Path | None) -> list[dict[str, Any]]:
    """Train the cells that no record has yet; return the records of all."""
    records = {record["key"]: record for record in (read_json_lines(output) if output else ())}
    for cell in cells:
        key = benches[cell.suite].key(cell)
        if key not in records:
            records[key] = record = benches[cell.suite].run(cell)
            if output:
                append_json_line(output, record)
    return [records[benches[cell.suite].key(cell)] for cell in cells]


def gather(by_row: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Return the table's rows: run scores, paired differences, and the mean weight and loss of the favoured task."""
    paper = {
        task: np.mean([record["weights"][task] for record in by_row["paper"]]) for task in by_row["paper"][0]["weights"]
    }
    favoured = max(paper, key=paper.__getitem__)
    table = []
    for row, found in by_row.items():
        entry: dict[str, Any] = {"row": row, "dev": mean_interval([record["dev"] for record in found])}
        for other in ("equal", "paper"):
            if other in by_row and other != row:
                pairs = zip(found, by_row[other], strict=True)
                entry[f"less {other}"] = mean_interval([one["dev"] - two["dev"] for one, two in pairs])
        entry |= {"favoured": favoured}
        for figure in ("weights", "losses"):
            entry[figure] = float(np.mean([record[figure][favoured] for record in found]))
        table.append(entry | {"seconds": float(np.mean([record["seconds"] for record in found]))})
    return table


def write(estimate: Estimate | None, sign: str = "") -> str:
    if estimate is None:
        return "–"
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:{sign}.4f}"
    return f"{estimate.value:{sign}.4f} [{estimate.low:{sign}.4f}, {estimate.high:{sign}.4f}]"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two rows, one seed, few texts: under a minute")
    parser.add_argument("--suites", nargs="+", choices=SUITES, default=list(SUITES))
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS), help="rules; `paper` is one of them")
    parser.add_argument("--seeds", type=int, default=5, help="how many: 0, 1, …")
    parser.add_argument(
        "--train-rows", type=int, default=300, help="training rows of each source; `vader` has twice as many"
    )
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--output", type=Path, help="JSONL file of finished cells, to go on from")
    chosen = parser.parse_args(arguments)
    if chosen.quick:
        chosen.rows, chosen.seeds, chosen.train_rows, chosen.epochs = QUICK_ROWS, 1, 32, 1
    cells = [Cell(suite, row, seed) for seed in range(chosen.seeds) for suite in chosen.suites for row in chosen.rows]
    benches = {suite: Bench(suite, chosen.train_rows, chosen.epochs) for suite in chosen.suites}
    records = run_all(cells, benches, chosen.output)
    results: dict[str, list[dict[str, Any]]] = {}
    for suite in chosen.suites:
        own = [record for record in records if record["suite"] == suite]
        results[suite] = gather({row: [one for one in own if one["row"] == row] for row in chosen.rows})
        print(
            f"\n{suite}: run score on dev over {chosen.seeds} seeds; weight and loss of "
            f"{results[suite][0]['favoured']}\n"
        )
        print(f"{'row':20}{'dev':26}{'less equal':30}{'less paper':30}{'weight':>8}{'loss':>8}{'s':>7}")
        for line in results[suite]:
            gains = "".join(f"{write(line.get(f'less {other}'), '+'):30}" for other in ("equal", "paper"))
            figures = f"{line['weights']:8.2f}{line['losses']:8.3f}{line['seconds']:7.0f}"
            print(f"{line['row']:20}{write(line['dev']):26}{gains}{figures}")
    print("\nweight, loss: mean of the last third of the steps; brackets: 95 % t-intervals over seeds\n")
    sizes = {"seeds": chosen.seeds, "train_rows": chosen.train_rows, "epochs": chosen.epochs}
    print(json.dumps({"benchmark": "dao_progress", "table": results} | sizes | setting()))


if __name__ == "__main__":
    main()

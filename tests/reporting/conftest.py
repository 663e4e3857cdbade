import json
import math

import numpy as np
import pytest
import yaml

from equipoise.config import load_config
from equipoise.evaluation import lead, majority, run_score, score_task

KINDS = ("regression", "classification")
KEYS = {"regression": (), "classification": ("classes",), "multilabel": ("classes",), "generation": ()}


def make_run(
    path,
    names,
    *,
    kinds=KINDS,
    classes=("negative", "neutral", "positive"),
    n_steps=60,
    notes=(),
    absent=(),
    auxiliary=(),
):
    """Write a run folder with made-up numbers; kinds take turns; `absent` tasks are in every third batch only."""
    path.mkdir(parents=True)
    tasks = {}
    for i, name in enumerate(names):
        tasks[name] = {"source": "posts", "kind": kinds[i % len(kinds)], "label": f"label_{i}"}
        if "classes" in KEYS[tasks[name]["kind"]]:
            tasks[name]["classes"] = list(classes)
        if name in auxiliary:
            tasks[name]["auxiliary"] = True
    config = {"sources": {"posts": {"path": "posts.csv", "subsets": ["domain"]}}, "tasks": tasks, "output": "."}
    (path / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))

    generator = np.random.default_rng(0)
    resolved = load_config(path / "config.yaml").open_tasks()
    records = []
    domain = np.array(["tweets", "films", "products"])[generator.integers(3, size=90)]
    for task in resolved.values():
        if task.auxiliary:
            continue
        texts = None
        if task.kind == "regression":
            gold = generator.normal(size=90)
            predictions = gold + generator.normal(size=90)
        elif task.kind == "multilabel":
            gold = generator.integers(2, size=(90, len(classes)))
            predictions = 0.5 * gold + 0.5 * generator.random(gold.shape)
            task = task.replace(thresholds=(0.5,) * len(classes))
        elif task.kind == "generation":
            texts = np.array([f"a fine phone with battery number {i}" for i in range(90)])
            gold = np.array([f"fine phone {i}" for i in range(90)])
            predictions = np.array([f"fine {'phone' if i % 3 else 'battery'} {i % 9}" for i in range(90)])
        else:
            gold = generator.integers(len(classes), size=90)
            predictions = np.eye(len(classes))[gold] + generator.random((90, len(classes)))
        options = {"split": "test", "subsets": {"domain": domain}, "bootstrap": 100, "texts": texts}
        records += score_task(task, predictions, gold, model="run", **options)
        if task.kind == "generation":
            records += score_task(task, lead(task, texts, gold), gold, model="lead", **options)
        else:
            records += score_task(task, majority(task, gold, 90), gold, model="majority", **options)
        if task.kind == "regression":
            records += score_task(task, gold + 2 * (predictions - gold), gold, model="vader", **options)
    (path / "metrics.json").write_text(json.dumps(records))

    with (path / "log.jsonl").open("w") as log:
        for step in range(1, n_steps + 1):
            present = [name for name in names if name not in absent or step % 3 == 0]
            noise = dict(zip(names, generator.normal(size=len(names)), strict=True))
            weight = {name: math.exp(0.3 * noise[name]) for name in present}
            scale = len(present) / sum(weight.values())
            line = {
                "step": step,
                "epoch": step / n_steps,
                "loss": 1.0,
                "losses": {name: 0.4 + math.exp(-3 * step / n_steps) + 0.1 * noise[name] for name in present},
                "weights": {name: scale * weight.get(name, 0.0) for name in names},
                "learning_rate": 1e-4,
            }
            log.write(json.dumps(line) + "\n")
            if step % (n_steps // 5) == 0:
                dev = {
                    f"{name}/{task.metric}": 0.7 - 0.4 * math.exp(-3 * step / n_steps) + 0.02 * i
                    for i, (name, task) in enumerate(resolved.items())
                    if not task.auxiliary
                }
                dev["run_score"] = sum(dev.values()) / len(dev)
                log.write(json.dumps({"step": step, "dev": dev}) + "\n")

    sizes = {"train": 12345, "dev": 120, "test": 90}
    per_class = {split: {label: n // len(classes) for label in classes} for split, n in sizes.items()}
    nothing = {split: dict.fromkeys(classes, 0) for split in ("dev", "test")}
    data = {
        "rows": sizes,
        "labels": {name: {**sizes, "dev": 0, "test": 0} if name in auxiliary else sizes for name in names},
        "classes": {
            name: per_class | (nothing if task.auxiliary else {})
            for name, task in resolved.items()
            if "classes" in KEYS[task.kind]
        },
        "notes": list(notes),
    }
    (path / "data.json").write_text(json.dumps(data))
    summary = {
        "best_step": n_steps // 5 * 4,
        "steps": n_steps,
        "seconds": 583.2,
        "run_score": {
            "dev": 0.654,
            "test": run_score([r for r in records if r["model"] == "run"], resolved),
        },
        "versions": {"equipoise": "0.1.0", "torch": "2.13.0"},
        "parameters": 22_713_216,
        "status": "finished",
    }
    (path / "summary.json").write_text(json.dumps(summary))
    return path


@pytest.fixture
def make(tmp_path):
    return lambda names, **options: make_run(tmp_path / "my run", names, **options)

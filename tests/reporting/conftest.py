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


def make_merge(*, blocks=1, objectives="run_score", tasks=("tone", "score", "irony")):
    """Return a merge's table as data, with numbers made up by hand: groups of two tasks and of the others."""
    metrics = {"score": "pearson"}
    values = {
        "base": (0.30, -0.10, 0.40),
        "experts": (0.60, 0.80, 0.50),
        "joint": (0.58, 0.70, 0.52),
        "uniform": (0.45, 0.40, 0.45),
        "ties": (0.40, 0.50, 0.45),
        "evolved:one": (0.54, 0.72, 0.50),
        "evolved:two": (0.50, 0.64, 0.38),
    }

    def record(task, split, value):
        metric = metrics.get(task, "macro_f1")
        return {
            **{"split": split, "subset": "all", "model": "", "task": task, "metric": metric, "n": 40},
            **{"value": value, "low": round(value - 0.05, 3), "high": round(value + 0.04, 3)},
        }

    rows = [
        {
            "name": name,
            "kind": "evolved" if "evolved" in name else "baseline" if name in ("uniform", "ties") else "reference",
            "demonstrations": False,
            "about": {"uniform": "the average of the experts"}.get(name, ""),
            "metrics": {
                "test": {task: record(task, "test", one) for task, one in zip(tasks, found, strict=False)},
                "dev": {task: record(task, "dev", one + 0.01) for task, one in zip(tasks, found, strict=False)},
            },
            "run_score": {
                "test": sum(max(0, one) for one in found[: len(tasks)]) / len(tasks),
                "dev": sum(max(0, one + 0.01) for one in found[: len(tasks)]) / len(tasks),
            },
            "recipe": None,
            "tried": None,
        }
        for name, found in values.items()
    ]

    def search(members, fitness, finalists, chosen, agreement):
        keys = [member if blocks == 1 else f"{member}/{block}" for block in range(blocks) for member in members]
        own = [task for found in members.values() for task in found]
        return {
            "chosen": chosen,
            "recipe": {},
            "finalists": finalists,
            "dev": finalists[str(chosen)],
            "members": members,
            "parameters": [
                *(
                    {
                        "key": member if blocks == 1 else f"{member}/{block}",
                        "member": member,
                        "block": None if blocks == 1 else block,
                        "option": None,
                    }
                    for block in range(blocks)
                    for member in members
                ),
                {"key": "option:density", "member": None, "block": None, "option": "density"},
            ],
            "agreement": agreement,
            "candidates": [
                {
                    "number": number,
                    "numbers": {
                        **{key: round(0.1 * number + 0.07 * i, 3) if number else 0.5 for i, key in enumerate(keys)},
                        "option:density": 0.2,
                    },
                    "start": {0: "uniform", 1: "MetaGPT"}.get(number),
                    "fitness": one,
                    # The pruned one is worse than the first on all tasks.
                    "tasks": {
                        task: round(one - 0.2 if number == 2 else one + (0.1 * number * (-1) ** i), 3)
                        for i, task in enumerate(own)
                    },
                    "folds": 2 if number == 2 else 6,
                    "rows": 20 if number == 2 else 60,
                }
                for number, one in enumerate(fitness)
            ],
        }

    everything = {task: [task] for task in tasks}
    groups = {"first": list(tasks[:2]), **({"rest": list(tasks[2:])} if tasks[2:] else {})}
    return {
        "name": "small",
        "model": "tiny",
        "operator": {"name": "ties"},
        "objectives": objectives,
        "unseen": False,
        "refit": True,
        "tasks": {
            task: {
                "kind": "classification",
                "format": "head",
                "metric": metrics.get(task, "macro_f1"),
                "group": None if task == "irony" else "first",
                "rows": {"train": 90, "dev": 40, "test": 40},
                "weak": {"rows": 64, "weak": 32, "wrong": 0.25, "suspected": 0.1, "read": 1090},
            }
            for task in tasks
        },
        "rows": rows,
        "best": "one",
        "best_row": "evolved:one",
        "kept": {row["name"]: 0.9333 if row["name"] == "evolved:one" else 1.0 for row in rows},
        "tests": [
            {"row": row, "task": "tone", "difference": {"value": off, "low": off - 0.1, "high": off + 0.1}, "p_holm": p}
            for row, off, p in (("base", 0.2, 0.01), ("joint", -0.1, 0.049), ("ties", 0.2, 0.05))
        ],
        "searches": {
            "one/all": search(
                everything, [0.4, 0.45, 0.41, 0.5, 0.48], {"3": 0.55, "4": 0.6, "0": 0.5, "1": 0.51}, 4, 0.8
            ),
            "two/first": search(
                {task: [task] for task in tasks[:2]}, [0.3, 0.35, 0.31, 0.4], {"3": 0.45, "0": 0.4}, 3, None
            ),
            "two/groups": search(groups, [0.42, 0.41, 0.4, 0.46], {"3": 0.5, "0": 0.52, "1": 0.5}, 0, -0.5),
        },
        "heat_map": {task: {other: 0.7 if other == task else 0.2 for other in tasks} for task in tasks},
        "times": [
            {"kind": kind, "name": name, "seconds": seconds}
            for kind, name, seconds in (
                *(("weak", "", 16.1), ("search", "one/all", 61.0)),
                *(("row", "ties", 4.0), ("expert", "tone", 2.0)),
            )
        ],
        "notes": ["Row 'peft_linear' is left out: peft merges LoRA adapters only."],
    }


@pytest.fixture
def merge_results():
    """A function that returns a merge's table as data; see `make_merge`."""
    return make_merge

"""What the README and the docs tell a newcomer to do works."""

import re
from pathlib import Path

import pytest
import torch
import yaml
from torch.nn.functional import cross_entropy

from equipoise.cli.lists import get_catalogue
from equipoise.config import load_config, make_config
from equipoise.training import train

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(encoding="utf-8"), flags=re.S | re.M)


def test_the_plugin_of_the_readme_runs_as_it_stands():
    (code,) = [block for block in blocks(ROOT / "README.md", "python") if "DynamicAdaptiveLoss" in block]
    torch.manual_seed(0)
    h = torch.randn(8, 4, requires_grad=True)
    names = {
        "h": h,
        "mse_per_example": (h.sum(1) - torch.randn(8)).square(),
        "ce_per_example": cross_entropy(h[:, :3], torch.randint(3, (8,)), reduction="none"),
    }
    exec(code, names)
    assert h.grad is not None
    assert sum(names["balance"].weights.values()) == pytest.approx(2)


def test_the_example_weights_of_the_docs_run_as_they_stand():
    (code,) = [block for block in blocks(ROOT / "docs" / "balancing.md", "python") if "label_stats" in block]
    h = torch.randn(8, 4, generator=torch.Generator().manual_seed(0)).requires_grad_()
    y, k = torch.arange(8) / 8, torch.tensor([0, 0, 0, 0, 0, 0, 0, 1])
    losses = {"score": (h.sum(1) - y).square(), "polarity": cross_entropy(h[:, :3], k, reduction="none")}
    names = {"h": h, "y": y, "k": k, "losses": losses}
    exec(code, names)
    unweighted = sum(names["balance"].weights[task] * loss.mean() for task, loss in losses.items())
    assert abs(names["loss"] - unweighted) > 0.01


def test_your_own_file_in_five_minutes(tmp_path, tiny_model, monkeypatch):
    (run_file,) = blocks(ROOT / "README.md", "yaml")
    (tmp_path / "reviews.yaml").write_text(run_file)
    rows = [
        f"a {'good' if i % 2 else 'bad'} film {i},{1 + 4 * (i % 2)},{'film' if i % 3 else 'book'},w{i % 50}"
        for i in range(150)
    ]
    (tmp_path / "reviews.csv").write_text("text,stars,topic,author\n" + "\n".join(rows))
    monkeypatch.chdir(tmp_path)
    run = train("reviews.yaml", [f"model={tiny_model}", "max_length=32", "train.max_steps=2"])
    assert run.folder == tmp_path / "runs" / "reviews"
    code = next(block for block in blocks(ROOT / "README.md", "python") if "equipoise.train" in block)
    names: dict = {}
    exec(code.replace('equipoise.train("reviews.yaml")', "equipoise.training.read_run('runs/reviews')"), names)


def test_the_balancer_of_the_docs_passes_the_checks():
    (code,) = [block for block in blocks(ROOT / "docs" / "balancing.md", "python") if "check_balancer" in block]
    exec(code, {})


@pytest.mark.parametrize("block", blocks(ROOT / "docs" / "data.md", "yaml"))
def test_the_sources_of_the_docs_are_valid(block):
    sources = yaml.safe_load(block)["sources"]
    make_config(
        {"sources": sources, "tasks": {"t": {"source": next(iter(sources)), "kind": "regression"}}, "output": "x"}
    )


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_examples_are_valid_run_files(path, monkeypatch):
    monkeypatch.setenv("EQUIPOISE_DATA", "somewhere")
    assert load_config(path).output == ROOT / "runs" / path.stem


def test_the_page_of_keys_is_up_to_date():
    """Made by: equipoise list keys --markdown."""
    assert get_catalogue("keys").table().to_markdown() in (ROOT / "docs" / "run_file.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page):
    for target in re.findall(r"\]\((?!http)([^)#]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


def test_every_command_of_the_readme_exists():
    from typer.main import get_command

    from equipoise.cli import app

    known = {name for name, command in get_command(app).commands.items() if not command.hidden}
    named = re.findall(r"(?:`|bin/)equipoise (\w+)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert set(named) == known

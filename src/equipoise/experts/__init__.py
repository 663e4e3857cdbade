"""Experts: one model a task from the same base, and what each knows of the other tasks."""

from .cells import How, plan_cells
from .probe import choose_probe
from .run import Experts, ensure_experts, train_experts

__all__ = ["Experts", "How", "choose_probe", "ensure_experts", "plan_cells", "train_experts"]

"""Experts: one model a task from the same base, and what each knows of the other tasks."""

from .cells import AnswerMode, plan_cells
from .probe import choose_probe
from .run_experts import Experts, ensure_experts, train_experts
from .scoring import count_work, predict_others

__all__ = [
    "AnswerMode",
    "Experts",
    "choose_probe",
    "count_work",
    "ensure_experts",
    "plan_cells",
    "predict_others",
    "train_experts",
]

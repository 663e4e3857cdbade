"""Difficulty of examples and tasks, and the order in which training meets them."""

from .dynamics import Dynamics, measure_dynamics
from .measuring import MEASURES, NEED_FEATURES, Difficulty, TaskDifficulty, measure_table, read_base_features, summarise
from .metadata import EXAMPLE_WEIGHTS, TASK_WEIGHTS, describe_examples, describe_tasks, score_examples
from .pvi import Pvi, measure_pvi
from .running import DIFFICULTY_OUTPUT, MeasuredRun, gather_difficulty, measure_difficulty, write_examples
from .sampler import CurriculumSampler
from .schedules import Curriculum, Stage, competence

__all__ = [
    "DIFFICULTY_OUTPUT",
    "EXAMPLE_WEIGHTS",
    "MEASURES",
    "NEED_FEATURES",
    "TASK_WEIGHTS",
    "Curriculum",
    "CurriculumSampler",
    "Difficulty",
    "Dynamics",
    "MeasuredRun",
    "Pvi",
    "Stage",
    "TaskDifficulty",
    "competence",
    "describe_examples",
    "describe_tasks",
    "gather_difficulty",
    "measure_difficulty",
    "measure_dynamics",
    "measure_pvi",
    "measure_table",
    "read_base_features",
    "score_examples",
    "summarise",
    "write_examples",
]

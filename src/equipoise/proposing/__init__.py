"""From files to a run file: what they hold, which tasks can be learned from them, and why."""

from .asking import MOST_QUESTIONS, Ask, Question
from .proposal import Alternative, Proposal, ProposedSource, ProposedTask, Setting, check_place
from .proposing import propose
from .yaml_text import to_yaml

__all__ = [
    "MOST_QUESTIONS",
    "Alternative",
    "Ask",
    "Proposal",
    "ProposedSource",
    "ProposedTask",
    "Question",
    "Setting",
    "check_place",
    "propose",
    "to_yaml",
]

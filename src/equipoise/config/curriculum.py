"""The run file's keys of the curriculum."""

from typing import Literal

from pydantic import Field

from equipoise.sections import Section

STAGED = ("mixed", "sequential")
"""The schedules that order tasks; the others order the examples of each."""


class CurriculumConfig(Section):
    """In which order training meets its examples."""

    by: Literal["metadata", "pvi", "dynamics"] = Field(
        "metadata",
        description="What is difficult, by `metadata` (length, rare words, rare labels, annotators' disagreement), "
        "`pvi` (how little the backbone's features tell about the label), or `dynamics` (how late a short training "
        "gets it right).",
    )
    schedule: Literal["none", "competence", "anti", "mixed", "sequential"] = Field(
        "none",
        description="`competence`: a growing share of each task's examples, easy ones first; `anti`: hard ones first; "
        "`mixed`: one task more in each stage, easy ones first; `sequential`: one task in each stage.",
    )
    start: float = Field(0.1, gt=0, le=1, description="Share of the examples to begin with (`competence` and `anti`).")
    full: float = Field(
        0.5,
        gt=0,
        le=1,
        description="Share of the training after which all examples are drawn from (`competence` and `anti`).",
    )

"""The tasks of the run file: each has the keys of its kind."""

from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from equipoise.kinds import TaskConfig, list_kinds


class _ByKind:
    """Has pydantic read a task by the keys of its kind, whichever kinds are registered when the schema is built."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        choices = {name: handler.generate_schema(kind.config_type) for name, kind in list_kinds().items()}
        return core_schema.tagged_union_schema(choices, discriminator="kind")


AnyTaskConfig = Annotated[TaskConfig, _ByKind()]
"""A task of any kind."""

"""The run file: its keys, reading, checking and writing it."""

from equipoise.kinds import TaskConfig

from .curriculum import STAGED, CurriculumConfig
from .keywords import as_overrides, make_table_config
from .loading import RUN_FILE_LIMIT, dump_config, load_config, make_config
from .merging import MergeConfig, hide_password
from .parsing import parse_yaml
from .reference import Key, list_keys, list_own_keys
from .schema import BalanceConfig, EvaluationConfig, RunConfig, TrainConfig
from .sources import SourceConfig

__all__ = [
    "RUN_FILE_LIMIT",
    "STAGED",
    "BalanceConfig",
    "CurriculumConfig",
    "EvaluationConfig",
    "Key",
    "MergeConfig",
    "RunConfig",
    "SourceConfig",
    "TaskConfig",
    "TrainConfig",
    "as_overrides",
    "dump_config",
    "hide_password",
    "list_keys",
    "list_own_keys",
    "load_config",
    "make_config",
    "make_table_config",
    "parse_yaml",
]

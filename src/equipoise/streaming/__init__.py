"""Answers for inputs of any size: read, answered and written window by window. Free of torch."""

from .columns import TableColumns, find_answer_columns, infer_columns, infer_schema_columns
from .engine import Answered, Engine, LocalEngine, Window
from .outputs import TABLES, check_predictions_file
from .running import Job, predict_stream
from .workers import WorkerEngine
from .writers import ArrowWriter, DelimitedWriter, JsonWriter, Writer

__all__ = [
    "TABLES",
    "Answered",
    "ArrowWriter",
    "DelimitedWriter",
    "Engine",
    "Job",
    "JsonWriter",
    "LocalEngine",
    "TableColumns",
    "Window",
    "WorkerEngine",
    "Writer",
    "check_predictions_file",
    "find_answer_columns",
    "infer_columns",
    "infer_schema_columns",
    "predict_stream",
]

"""The published schema of `metrics.json`: what `equipoise.evaluation.metrics_schema` returns."""

import json
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from corpus import write_run
from equipoise.evaluation import Record, metrics_schema
from equipoise.training import train

PUBLISHED = Path(__file__).parents[2] / "docs" / "metrics.schema.json"


def test_the_published_schema_is_current():
    assert json.loads(PUBLISHED.read_text(encoding="utf-8")) == metrics_schema()


def test_the_metrics_of_a_run_validate(tmp_path, tiny_model):
    folder = train(write_run(tmp_path, tiny_model, max_steps=2, evaluations=1)).folder
    adapter = TypeAdapter(list[Record])
    records = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    assert adapter.validate_python(records, strict=True) == records
    (schema,) = metrics_schema()["$defs"].values()
    assert {tuple(sorted(record)) for record in records} == {tuple(sorted(schema["required"]))}
    assert set(schema["properties"]) == set(schema["required"])
    del records[0]["value"]
    with pytest.raises(ValidationError, match="value"):
        adapter.validate_python(records, strict=True)

"""Answers for a Ray dataset, on a local Ray with two workers. Ray is not among the packages for development."""

import os
from pathlib import Path

import pytest

ray = pytest.importorskip("ray")
pytest.importorskip("ray.data")


@pytest.fixture(scope="module")
def local_ray():
    import equipoise

    paths = [str(Path(equipoise.__file__).parents[1]), str(Path(__file__).parents[1])]
    paths += filter(None, [os.environ.get("PYTHONPATH")])
    environment = {"env_vars": {"PYTHONPATH": os.pathsep.join(paths)}}
    # Two for the actors, the others for what reads the rows.
    ray.init(num_cpus=4, include_dashboard=False, runtime_env=environment, log_to_driver=False)
    yield
    ray.shutdown()


def test_two_workers_answer_all_rows(local_ray):
    from equipoise import ray as equipoise_ray
    from equipoise.modeling import load as load_model

    rows = [{"id": number, "text": f"row {number}" if number != 3 else ""} for number in range(40)]
    model = os.environ.get("EQUIPOISE_RAY_MODEL")
    if model is None:
        pytest.skip("EQUIPOISE_RAY_MODEL names no trained model")
    dataset = ray.data.from_items(rows).repartition(4)
    found = sorted(equipoise_ray.predict(dataset, model, workers=2).take_all(), key=lambda row: row["id"])
    assert [row["id"] for row in found] == list(range(40))
    assert found[3]["error"] == "found an empty text, expected a text"
    expected = load_model(model).predict([row for row in rows if row["id"] != 3])
    for row, answer in zip([row for row in found if row["id"] != 3], expected, strict=True):
        assert row["intensity.score"] == pytest.approx(answer["intensity"]["score"], abs=1e-5)

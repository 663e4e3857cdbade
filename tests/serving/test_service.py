"""The service: answers, errors in their place, limits, the key, and what it tells of itself."""

import concurrent.futures
import json
import logging
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from equipoise.errors import UsageError
from equipoise.kinds import Conformity, Extraction
from equipoise.serving import Limits, make_app
from length_predictor import LengthPredictor

SMALL = Limits(body_bytes=2000, items=4, characters=50, queue=8, batch_size=4)


@pytest.fixture
def client() -> Iterator[TestClient]:
    with TestClient(make_app(LengthPredictor(), "lengths", limits=SMALL), raise_server_exceptions=False) as client:
        yield client


def ask(client: TestClient, **body: Any) -> Any:
    answer = client.post("/predict", content=json.dumps(body), headers={"content-type": "application/json"})
    assert answer.status_code == 200, answer.text
    return answer.json()["answers"]


def test_one_text_or_several_are_answered_in_order(client: TestClient) -> None:
    assert ask(client, texts="four")[0]["length"] == {"score": 4.0}
    found = ask(client, texts=["a", {"text": "bb", "pair": "cc"}, {"text": "ccc"}], tasks=["length"])
    assert [answer["length"]["score"] for answer in found] == [1, 2, 3]


def test_a_number_is_read_as_its_text_as_predict_reads_it(client: TestClient) -> None:
    found = ask(client, texts=[1200, {"text": 0.5, "pair": 7}], tasks=["length"])
    assert found == [{"length": {"score": 4.0}}, {"length": {"score": 3.0}}]
    predicted = LengthPredictor().predict([{"text": 1200}, {"text": 0.5}], skip=["long", "towards"])
    assert [answer["length"] for answer in predicted] == [answer["length"] for answer in found]
    assert list(ask(client, texts={"text": "a", "pair": 7})[0]) == ["length", "long", "towards"]


def test_tasks_that_read_a_pair_are_answered_where_there_is_one(client: TestClient) -> None:
    alone, both = ask(client, texts=["a", {"text": "a", "pair": "b"}])
    assert list(alone) == ["length", "long"]
    assert list(both) == ["length", "long", "towards"]


def test_tasks_that_nobody_named_answer_as_always_where_they_cannot_be_unsure() -> None:
    predictor = LengthPredictor()
    for name in ("long", "towards"):
        conformity = Conformity.of(dict.fromkeys(("lac", "aps"), np.array([[0.1], [0.5]])))
        predictor.tasks[name] = predictor.tasks[name].replace(conformity=conformity)
    with TestClient(make_app(predictor, "lengths")) as client:
        alone, both = ask(client, texts=["a", {"text": "a", "pair": "b"}], abstain=0.999)
        assert {"text": "a", **alone} == predictor.predict("a", skip=["towards"], abstain=0.999)[0]
        assert (alone["length"], alone["long"]["unsure"]) == ({"score": 1.0}, True)
        assert list(alone) == ["length", "long"]
        assert both["towards"]["unsure"]
        with pytest.raises(UsageError, match="task 'lnog' is not in the model"):
            predictor.predict("a", skip=["lnog"])
        assert "no confidence" in ask(client, texts="a", tasks=["length"], abstain=0.9)[0]["error"]


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (True, "text: found bool, expected a string or a number"),
        (["a"], "text: found list"),
        (None, "text: found null"),
        ({"text": None}, "text: found null"),
        ({"texts": "a"}, "text: the key is missing"),
        ({"text": "a", "pair": False}, "pair: found bool"),
        ("  ", "empty text"),
        ("\ud800", "surrogate"),
        ("x" * 51, "expected 50 at most"),
        ("boom", "the model failed on this text (RuntimeError)"),
    ],
)
def test_a_bad_item_gets_an_error_of_its_own_and_the_others_are_answered(
    client: TestClient, bad: Any, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        before, error, after = ask(client, texts=["secret one", bad, "other"], tasks=["length"])
    assert (before, after) == ({"length": {"score": 10.0}}, {"length": {"score": 5.0}})
    assert said in error["error"]
    assert "secret" not in caplog.text


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (b"nope", 400, "not JSON"),
        (b'{"texts": ' + b"[" * 900 + b"]" * 900 + b"}", 200, ""),  # one item, a list
        (b"\xff\xfe{", 400, "expected JSON in UTF-8"),
        (b"{}", 422, "texts"),
        (b'{"texts": []}', 422, "found 0, expected 1 to 4"),
        (b'{"texts": ["a", "b", "c", "d", "e"]}', 422, "found 5"),
        (b'{"texts": "a", "tasks": ["lenght"]}', 422, "Did you mean 'length'?"),
        (b'{"texts": "a", "tasks": ["\\ud800"]}', 422, "there is no"),
        (b'{"texts": "a", "tasks": []}', 422, "tasks"),
        (b'{"texts": "a", "level": 1}', 422, "level"),
        (b'{"texts": "a", "level": NaN}', 422, "level"),
        (b'{"texts": "a", "text": "b"}', 422, "text: "),
        (b'{"texts": "' + b"a" * 2000 + b'"}', 413, "larger than 2,000 bytes"),
    ],
)
def test_a_request_that_cannot_be_answered_says_why(client: TestClient, body: bytes, status: int, said: str) -> None:
    answer = client.post("/predict", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == status
    assert said in answer.text


def test_a_request_without_its_header_is_told_which(client: TestClient) -> None:
    form = "application/x-www-form-urlencoded"  # as curl -d sends
    answer = client.post("/predict", content=b'{"texts": "a"}', headers={"content-type": form})
    assert (answer.status_code, answer.json()["error"]) == (
        422,
        f"header Content-Type: found {form}, expected application/json",
    )


def test_a_request_in_pieces_is_limited_too(client: TestClient) -> None:
    answer = client.post("/predict", content=(b"x" * 500 for _ in range(10)))
    assert answer.status_code == 413


def test_a_text_without_the_pair_that_all_tasks_read() -> None:
    with TestClient(make_app(LengthPredictor(only_pairs=True), "pairs")) as client:
        assert "pair: found none" in ask(client, texts="a")[0]["error"]


def test_tasks_that_cannot_be_explained_are_left_out_where_none_is_named(client: TestClient) -> None:
    refused = ask(client, texts="a", explain=True)[0]["error"]
    assert refused.startswith("explain: the words that decided")  # this predictor has no gradients
    predictor = LengthPredictor()
    terms = Extraction("terms", "s", "text", None, "label", "extraction_f1", ("bad", "good"), format="prompt")
    predictor._tasks = {"terms": terms}
    with TestClient(make_app(predictor, "terms")) as other:
        assert ask(other, texts="a", explain=True)[0]["error"].startswith("explain: no task of this model")


def test_texts_of_many_requests_share_a_pass_and_none_is_mixed_up() -> None:
    predictor = LengthPredictor(0.05)
    with TestClient(make_app(predictor, "lengths")) as client:

        def one(length: int) -> tuple[int, Any]:
            return length, ask(client, texts="x" * length, tasks=["length"])[0]["length"]["score"]

        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            found = list(pool.map(one, range(1, 49)))
    assert all(length == score for length, score in found)
    assert sum(predictor.batches) == 48
    assert len(predictor.batches) < 24


def test_a_full_queue_is_said_with_the_time_to_wait() -> None:
    limits = Limits(queue=4, items=4, batch_size=4)
    with TestClient(make_app(LengthPredictor(0.5), "lengths", limits=limits)) as client:

        def one(number: int) -> Any:
            return client.post("/predict", json={"texts": [f"{number}-{item}" for item in range(4)]})

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(one, range(8)))
        statuses = [answer.status_code for answer in answers]
        assert set(statuses) == {200, 429}
        assert all(int(answer.headers["retry-after"]) >= 1 for answer in answers if answer.status_code == 429)
        assert one(9).status_code == 200


def test_the_key_stands_before_everything_that_tells_something() -> None:
    with TestClient(make_app(LengthPredictor(), "lengths", api_key="secret")) as client:
        for given_key in ({}, {"x-api-key": "Secret"}, {"x-api-key": "secret "[:5]}):
            assert client.post("/predict", json={"texts": "a"}, headers=given_key).status_code == 401
            assert client.get("/info", headers=given_key).status_code == 401
            assert client.get("/metrics", headers=given_key).status_code == 401
        assert client.get("/health").json() == {"status": "ok"}
        assert client.get("/ready").json() == {"status": "ready"}
        assert client.post("/predict", json={"texts": "a"}, headers={"x-api-key": "secret"}).status_code == 200


def test_no_other_page_may_ask_unless_it_is_named(client: TestClient) -> None:
    origin = {"origin": "https://example.org"}
    assert "access-control-allow-origin" not in client.get("/health", headers=origin).headers
    with TestClient(make_app(LengthPredictor(), "lengths", origins=["https://example.org"])) as open_client:
        answer = open_client.get("/health", headers=origin)
        assert answer.headers["access-control-allow-origin"] == "https://example.org"


def test_what_it_tells_of_itself(client: TestClient) -> None:
    ask(client, texts=["a", ""])
    info = client.get("/info").json()
    assert info["tasks"]["towards"] == {"kind": "classification", "classes": ["<b>no</b>", "yes"], "reads_pair": True}
    assert info["precision"] == "fp32"
    assert info["limits"] == {"items": 4, "characters": 50, "body_bytes": 2000}
    metrics = client.get("/metrics").text
    assert 'equipoise_items_total{outcome="answered"} 1.0' in metrics
    assert 'equipoise_items_total{outcome="error"} 1.0' in metrics
    assert 'equipoise_requests_total{path="/predict",status="200"} 1.0' in metrics


def test_the_schema_has_examples_that_are_answered(client: TestClient) -> None:
    schema = client.get("/openapi.json").json()
    asked = schema["components"]["schemas"]["Asked"]["properties"]
    assert asked["tasks"]["anyOf"][0]["items"]["enum"] == ["length", "long", "towards"]
    assert asked["texts"]["anyOf"][-1]["maxItems"] == 4
    assert "security" not in schema["paths"]["/predict"]["post"]
    for example in schema["components"]["schemas"]["Asked"]["examples"]:
        assert client.post("/predict", json=example | {"level": None}).status_code == 200
    assert {"200", "400", "401", "408", "413", "422", "429"} <= set(schema["paths"]["/predict"]["post"]["responses"])


@pytest.mark.parametrize("path", ["/?give=x&media=y", "/page.js?content=x"])
def test_the_page_reads_nothing_from_its_address(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    assert answer.text == client.get(path.partition("?")[0]).text


@pytest.mark.parametrize("path", ["/../pyproject.toml", "/%2e%2e/page/page.js", "/page/page.js", "/docs"])
def test_no_other_file_is_served(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 404


def test_the_page_asks_nobody_else(client: TestClient) -> None:
    for path in ("/", "/page.css", "/page.js"):
        answer = client.get(path)
        assert answer.status_code == 200
        assert "http:" not in answer.text
        assert "https:" not in answer.text
        assert "innerHTML" not in answer.text
        assert "default-src 'none'" in answer.headers["content-security-policy"]


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@pytest.fixture(scope="module")
def lasting_client() -> Iterator[TestClient]:
    with TestClient(make_app(LengthPredictor(), "lengths", limits=SMALL), raise_server_exceptions=False) as client:
        yield client


@settings(max_examples=150)
@given(
    body=_JSON | st.fixed_dictionaries({"texts": _JSON}, optional=dict.fromkeys(("tasks", "level", "explain"), _JSON))
)
def test_whatever_is_asked_the_service_does_not_fail(lasting_client: TestClient, body: Any) -> None:
    answer = lasting_client.post("/predict", content=json.dumps(body), headers={"content-type": "application/json"})
    assert answer.status_code in (200, 400, 413, 422)
    json.loads(answer.text, parse_constant=pytest.fail)

"""The scorer over HTTP, against a server on this machine."""

from __future__ import annotations

import socket
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from doublevm import ConfigError, Enclave, HttpScorer, ScoringGate, Signal, tool
from doublevm.host import http_scorer
from doublevm.host.http_scorer import LONGEST_ANSWER, HttpScoring
from doublevm.host.scoring import Unanswered
from doublevm.score import ScoringAnswer, ScoringRequest
from tests.behaviour.drivers import opened
from tests.scoring.http_service import Service, scored, serving
from tests.scoring.programs import features_of

if TYPE_CHECKING:
    from http.server import BaseHTTPRequestHandler

    from tests.behaviour.drivers import Driver

FEATURES = features_of("mail.send(text=users.list(limit=5)[0]['name'])")
REQUEST = ScoringRequest(FEATURES, (Signal("A", 5, 1, 1, "a"),), 5, "the program")


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Do not wait, but note how long it would have been."""
    waited: list[float] = []
    monkeypatch.setattr(time, "sleep", waited.append)
    monkeypatch.setattr(http_scorer, "random", _Most)
    return waited


class _Most:
    """As much jitter as there may be."""

    @staticmethod
    def uniform(_least: float, most: float) -> float:
        return most


def ask(service: Service, seconds: float = 30.0, **options: Any) -> ScoringAnswer:
    return HttpScoring(HttpScorer(url=service.url, **options), seconds)(REQUEST)


def test_it_is_told_the_features_and_not_the_source() -> None:
    with serving(scored(42.5)) as service:
        assert ask(service) == ScoringAnswer(42.5)
    (request,) = service.requests
    assert request == {
        "features": {
            "calls": [
                {
                    "tool": "users:list",
                    "line": 1,
                    "column": 16,
                    "looped": False,
                    "arguments": [
                        {"name": "limit", "kind": "number", "value": 5, "line": 1, "column": 33}
                    ],
                    "sources": [],
                },
                {
                    "tool": "mail:send",
                    "line": 1,
                    "column": 1,
                    "looped": False,
                    "arguments": [
                        {"name": "text", "kind": "unknown", "value": None, "line": 1, "column": 16}
                    ],
                    "sources": [0],
                },
            ],
            "fields": [{"name": "name", "line": 1, "column": 16}],
        },
        "signals": [
            {"rule": "A", "points": 5, "line": 1, "column": 1, "message": "a", "places": 1}
        ],
        "score": 5,
    }
    assert service.headers[0]["Content-Type"] == "application/json"


def test_it_is_told_the_source_if_that_is_asked_for() -> None:
    with serving(scored(0)) as service:
        ask(service, send_source=True)
    assert service.requests[0]["source"] == "the program"


def test_headers_go_along_and_are_not_shown() -> None:
    options = HttpScorer(url="https://scorer.example", headers={"Authorization": "Bearer key"})
    assert "key" not in repr(options)
    with serving(scored(0)) as service:
        ask(service, headers=options.headers)
    assert service.headers[0]["Authorization"] == "Bearer key"


def test_signals_are_taken_over() -> None:
    signal = {"rule": "MODEL", "points": 9, "line": 1, "column": 1, "message": "m", "places": 1}
    with serving(scored(9, signal)) as service:
        assert ask(service).signals == (Signal("MODEL", 9, 1, 1, "m"),)


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_it_is_asked_again_after_longer_and_longer_waits(status: int, waits: list[float]) -> None:
    with serving((status, b""), (status, b""), (status, b""), scored(7)) as service:
        assert ask(service, retries=3) == ScoringAnswer(7)
    assert len(service.requests) == 4
    assert waits == [0.1, 0.2, 0.4]


def test_it_is_not_asked_for_ever(waits: list[float]) -> None:
    with (
        serving((503, b"")) as service,
        pytest.raises(Unanswered, match=r"^the scorer answered with status 503, after 3 attempts$"),
    ):
        ask(service)
    assert len(service.requests) == 3
    assert waits == [0.1, 0.2]


def test_without_retries_it_is_asked_once() -> None:
    with serving((503, b"")) as service, pytest.raises(Unanswered, match="after 1 attempts"):
        ask(service, retries=0)
    assert len(service.requests) == 1


def test_waits_end_before_the_time_does(waits: list[float]) -> None:
    with serving((503, b"")) as service, pytest.raises(Unanswered):
        ask(service, seconds=0.05, retries=10)
    assert not waits


@pytest.mark.parametrize("status", [201, 204, 301, 307, 400, 401, 404])
def test_other_statuses_are_final(status: int) -> None:
    with (
        serving((status, b"")) as service,
        pytest.raises(Unanswered, match=f"the scorer answered with status {status}"),
    ):
        ask(service)
    assert len(service.requests) == 1, "nor is a redirect followed"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nonsense",
        b"[]",
        b"{}",
        b'{"score": "70"}',
        b'{"score": 101}',
        b'{"score": -1}',
        b'{"score": null}',
        b'{"score": 5, "more": 1}',
        b'{"score": 5, "signals": [{}]}',
        b'{"score": 5, "signals": [{"rule": "A", "points": 5, "line": 1, "column": 1}]}',
        b'{"score": 5, "signals": ' + b"[" * 5000,
        b"\xff",
    ],
)
def test_an_answer_that_is_none_is_final(body: bytes) -> None:
    with (
        serving((200, body)) as service,
        pytest.raises(Unanswered, match="the scorer's answer is none"),
    ):
        ask(service)
    assert len(service.requests) == 1


def test_an_answer_may_not_be_too_long() -> None:
    with (
        serving((200, b" " * (LONGEST_ANSWER + 1))) as service,
        pytest.raises(Unanswered, match="more than 65,536 bytes"),
    ):
        ask(service)


def hang_up(handler: BaseHTTPRequestHandler) -> None:
    handler.connection.shutdown(socket.SHUT_RDWR)


def test_a_connection_that_breaks_is_made_again() -> None:
    with serving(hang_up, scored(7)) as service:
        assert ask(service) == ScoringAnswer(7)


def test_nobody_there() -> None:
    with serving(scored(0)) as service:
        pass
    with pytest.raises(Unanswered, match=r"did not answer \(ConnectError\), after 2 attempts"):
        ask(service, retries=1)


def test_a_service_that_is_silent_is_left() -> None:
    silent = threading.Event()

    def wait(_handler: BaseHTTPRequestHandler) -> None:
        silent.wait()

    with serving(wait) as service, pytest.raises(Unanswered) as no:
        ask(service, timeout=0.1, retries=1)
    silent.set()
    assert str(no.value) == "the scorer did not answer (ReadTimeout), after 2 attempts"


def test_a_service_that_dribbles_is_left() -> None:
    def dribble(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "60000")
        handler.end_headers()
        while not service.ended.wait(0.02):
            handler.wfile.write(b" ")

    with serving(dribble) as service, pytest.raises(Unanswered, match="in time"):
        ask(service, timeout=0.2, retries=0)


def test_the_environment_has_no_say(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with serving(scored(3)) as service:
        assert ask(service) == ScoringAnswer(3)


# --- with an enclave ------------------------------------------------------------------------------


@tool(name="users:list")
def list_users() -> list[str]:
    return ["ada"]


@pytest.mark.parametrize("driver", ["sync", "async"])
def test_an_enclave_asks(driver: Driver) -> None:
    with serving(scored(69.5), scored(69), (500, b"")) as service:
        gate = ScoringGate(scorer=HttpScorer(url=service.url, retries=0))
        with opened(driver, tools=[list_users], scoring_gate=gate) as enclave:
            blocked, runs, broken = (enclave.run(f"users.list()[{i}]") for i in (0, -1, -2))
    assert blocked.score is not None
    assert (blocked.success, blocked.score.score) == (False, 70)
    assert runs.unwrap() == "ada"
    assert broken.error is not None
    assert "it could not be scored [scoring/failed]" in broken.error.message
    assert broken.score is not None
    assert broken.score.failure == "the scorer answered with status 500, after 1 attempts"
    assert all("source" not in request for request in service.requests)
    assert [call["tool"] for call in service.requests[0]["features"]["calls"]] == ["users:list"]


def test_without_httpx_an_enclave_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "httpx", None)
    monkeypatch.delitem(sys.modules, "doublevm.host.http_scorer")
    gate = ScoringGate(scorer=HttpScorer(url="https://scorer.example"))
    with pytest.raises(ConfigError, match=r"needs httpx.*install doublevm\[scoring\]"):
        Enclave(scoring_gate=gate)

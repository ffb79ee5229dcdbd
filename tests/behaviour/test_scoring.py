"""The scoring gate as a host meets it: what is blocked, who is asked, what is told and recorded."""

from __future__ import annotations

import asyncio
import hashlib
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from doublevm import (
    Allow,
    Analyzer,
    ConfigError,
    Deny,
    ErrorCode,
    Finding,
    GuestError,
    Limits,
    Score,
    ScoringAnswer,
    ScoringGate,
    ScoringRequest,
    Signal,
    tool,
)
from doublevm.audit import AuditRecord, verify

if TYPE_CHECKING:
    import ast
    from collections.abc import Iterator

    from tests.behaviour.drivers import Opens

SENT: list[Any] = []

EXFIL = """
for row in users.list(limit=5):
    mail.send(text=row["name"])
"""
HARMLESS = "users.list(limit=5)[0]['name']"
BLOCKED = Deny(
    "scoring",
    "block_threshold",
    "it scores 75 of 100, and 70 is too much: LOOP_TOOL_CALL 25 (line 3: mail:send is called in a "
    "loop); EXFIL_PATTERN 50 (line 3: what users:list has read (line 2) flows into mail:send)",
)


@tool(name="users:list")
def list_users(limit: int = 10) -> list[dict[str, str]]:
    return [{"name": "ada"}, {"name": "grace"}][:limit]


@tool(name="mail:send")
def send(text: str) -> None:
    SENT.append(text)


TOOLS = [list_users, send]


@pytest.fixture(autouse=True)
def nothing_sent() -> None:
    SENT.clear()


def gate(**options: Any) -> ScoringGate:
    return ScoringGate(**options)


def sevens(source: str, tree: ast.Module) -> Iterator[Finding]:
    for place in [number for number, line in enumerate(source.split("\n"), 1) if "7" in line]:
        yield Finding("", place, 1, "", "a seven")


def test_a_suspicious_program_is_blocked_before_it_runs(open_enclave: Opens) -> None:
    result = open_enclave(tools=TOOLS, scoring_gate=gate()).run(EXFIL)
    assert result.error is not None
    assert result.error.code == ErrorCode.SCORING_BLOCKED
    assert result.error.verdict == BLOCKED
    assert result.error.line == 3
    assert str(result.error).startswith("SCORING_BLOCKED: the program was not run: it scores 75")
    assert "[scoring/block_threshold]" in str(result.error)
    assert result.score is not None
    assert (result.score.score, result.score.decision) == (75, "block")
    assert [signal.rule for signal in result.score.signals] == ["LOOP_TOOL_CALL", "EXFIL_PATTERN"]
    assert not SENT
    assert result.stats.engine == ""


def test_control_without_a_gate_it_runs(open_enclave: Opens) -> None:
    result = open_enclave(tools=TOOLS).run(EXFIL)
    assert result.unwrap() is None
    assert result.score is None
    assert SENT == ["ada", "grace"]


def test_twin_a_harmless_program_runs(open_enclave: Opens) -> None:
    result = open_enclave(tools=TOOLS, scoring_gate=gate()).run(HARMLESS)
    assert result.unwrap() == "ada"
    assert result.score == Score(0, (), "allow")


def test_warnings_run(open_enclave: Opens) -> None:
    result = open_enclave(tools=TOOLS, scoring_gate=gate(block_threshold=76)).run(EXFIL)
    assert result.unwrap() is None
    assert result.score is not None
    assert result.score.decision == "warn"
    assert SENT


def test_a_session_goes_on_after_a_blocked_program(open_enclave: Opens) -> None:
    with open_enclave(tools=TOOLS, scoring_gate=gate()).session() as session:
        session.run("x = 5").unwrap()
        assert session.run(EXFIL).error is not None
        assert session.run("x").unwrap() == 5


def test_what_the_guard_refuses_is_not_scored(open_enclave: Opens) -> None:
    result = open_enclave(tools=TOOLS, scoring_gate=gate()).run("for for")
    assert result.error is not None
    assert result.error.code == ErrorCode.VALIDATION_ERROR
    assert result.score is None
    assert not result.audit


# --- who is told ----------------------------------------------------------------------------------


def test_on_score_is_told_of_every_program_before_it_runs(open_enclave: Opens) -> None:
    told: list[tuple[Score, int]] = []
    watched = gate(block_threshold=76, on_score=lambda score: told.append((score, len(SENT))))
    enclave = open_enclave(tools=TOOLS, scoring_gate=watched)
    results = [enclave.run(program) for program in (EXFIL, HARMLESS, EXFIL)]
    assert [score for score, _ in told] == [result.score for result in results]
    assert [sent for _, sent in told] == [0, 2, 2]


def test_what_on_score_raises_leaves_run(open_enclave: Opens) -> None:
    def stop(score: Score) -> None:
        raise LookupError(score.score)

    enclave = open_enclave(tools=TOOLS, scoring_gate=gate(on_score=stop, block_threshold=76))
    with pytest.raises(LookupError, match="75"):
        enclave.run(EXFIL)
    assert not SENT


def test_scores_are_on_record(open_enclave: Opens) -> None:
    enclave = open_enclave(tools=TOOLS, scoring_gate=gate())
    blocked, allowed = enclave.run(EXFIL), enclave.run(HARMLESS)
    (record,) = blocked.audit
    assert (record.operation, record.outcome, record.verdict) == ("", "scored", BLOCKED)
    assert record.arguments == {
        "program": hashlib.sha256(EXFIL.encode()).hexdigest(),
        "score": 75,
        "decision": "block",
        "failure": "",
        "signals": [
            {"rule": "LOOP_TOOL_CALL", "points": 25, "line": 3, "column": 5, "places": 1},
            {"rule": "EXFIL_PATTERN", "points": 50, "line": 3, "column": 5, "places": 1},
        ],
    }
    score, call = allowed.audit
    assert (score.outcome, score.verdict, score.arguments["score"]) == ("scored", Allow(), 0)
    assert call.operation == "users:list"
    assert (allowed.stats.tool_calls, allowed.stats.denied) == (1, 0)
    assert (blocked.stats.tool_calls, blocked.stats.denied) == (0, 0)
    history = enclave.history
    assert [(each.number, each.run) for each in history] == [(1, 1), (2, 2), (3, 2)]
    assert verify(history, first=1) is None
    assert [AuditRecord.from_json(each.to_json()) for each in history] == list(history)


def test_a_guest_cannot_make_a_record_of_a_score(open_enclave: Opens) -> None:
    result = open_enclave(tools=TOOLS).run("try: call_tool('')\nexcept PermissionError: pass")
    assert [(each.operation, each.outcome) for each in result.audit] == [("", "denied")]


# --- analyzers ------------------------------------------------------------------------------------


def analyzed(analyze: Any = sevens, points: int = 70, **options: Any) -> ScoringGate:
    return gate(analyzers=[Analyzer(id="SEVENS", points=points, analyze=analyze)], **options)


def test_an_analyzer_adds_its_points_once(open_enclave: Opens) -> None:
    result = open_enclave(scoring_gate=analyzed(points=30)).run("x = 1\ny = 7\nz = 7")
    assert result.success
    assert result.score == Score(30, (Signal("SEVENS", 30, 2, 1, "a seven", 2),), "allow")


def test_an_analyzer_can_block(open_enclave: Opens) -> None:
    enclave = open_enclave(scoring_gate=analyzed())
    result = enclave.run("7")
    assert result.error is not None
    assert result.error.code == ErrorCode.SCORING_BLOCKED
    assert enclave.run("8").unwrap() == 8


def raises(source: str, tree: ast.Module) -> Any:
    raise RuntimeError("secret of the host")


def gives_nonsense(source: str, tree: ast.Module) -> Any:
    return ["finding"]


def loops(source: str, tree: ast.Module) -> Any:
    while True:
        pass


@pytest.mark.parametrize(
    ("broken", "how"),
    [
        (raises, "the analyzer 'SEVENS' failed (RuntimeError: secret of the host)"),
        (gives_nonsense, "the analyzer 'SEVENS' failed (TypeError: "),
        (loops, "the analyzer 'SEVENS' took too long"),
    ],
)
def test_a_broken_analyzer_lets_nothing_through(open_enclave: Opens, broken: Any, how: str) -> None:
    result = open_enclave(scoring_gate=analyzed(broken)).run("1")
    assert result.error is not None
    assert (
        result.error.message == "the program was not run: it could not be scored [scoring/failed]"
    )
    assert isinstance(result.error.verdict, Deny)
    assert result.error.verdict.rule == "failed"
    assert result.score is not None
    assert result.score.failure.startswith(how)
    assert result.score.decision == "block"


def test_a_broken_analyzer_counts_nothing_where_the_gate_fails_open(open_enclave: Opens) -> None:
    enclave = open_enclave(tools=TOOLS, scoring_gate=analyzed(raises, fail_open=True))
    result = enclave.run("1")
    assert result.unwrap() == 1
    assert result.score is not None
    assert (result.score.score, result.score.decision) == (0, "warn")
    assert result.score.failure
    assert enclave.run(EXFIL).error is not None, "the rules still count"


def test_a_program_that_is_too_much_lets_nothing_through(open_enclave: Opens) -> None:
    result = open_enclave(tools=TOOLS, scoring_gate=gate()).run("users.list()\n" * 1001)
    assert result.error is not None
    assert result.error.code == ErrorCode.SCORING_BLOCKED
    assert result.score is not None
    assert result.score.failure == "it calls tools at more than 1,000 places"
    assert not result.stats.tool_calls


# --- scorers of the host's own --------------------------------------------------------------------


def test_a_scorer_is_told_what_there_is_and_has_the_last_word(open_enclave: Opens) -> None:
    asked: list[ScoringRequest] = []

    def scorer(request: ScoringRequest) -> int:
        asked.append(request)
        return 10

    result = open_enclave(tools=TOOLS, scoring_gate=gate(scorer=scorer)).run(EXFIL)
    assert result.unwrap() is None
    (request,) = asked
    assert request.score == 75
    assert request.source == EXFIL
    assert [call.tool for call in request.features.calls] == ["users:list", "mail:send"]
    assert request.features.calls[1].sources == (0,)
    assert [field.name for field in request.features.fields] == ["name"]
    assert result.score == Score(10, request.signals, "allow")


def test_a_scorer_may_be_async(open_enclave: Opens) -> None:
    async def scorer(request: ScoringRequest) -> ScoringAnswer:
        await asyncio.sleep(0)
        return ScoringAnswer(70.5, (Signal("MODEL", 70, 2, 1, "looks like theft"),))

    result = open_enclave(tools=TOOLS, scoring_gate=gate(scorer=scorer)).run("users.list()")
    assert result.score is not None
    assert (result.score.score, result.score.decision) == (71, "block")
    assert [signal.rule for signal in result.score.signals] == ["MODEL"]


class Broken:
    """An exception's message may be anything."""

    def __call__(self, request: ScoringRequest) -> Any:
        raise SystemExit("secret of the host")


@pytest.mark.parametrize(
    ("scorer", "how"),
    [
        (Broken(), "the scorer failed (SystemExit: secret of the host)"),
        (lambda request: 1 / 0, "the scorer failed (ZeroDivisionError: division by zero)"),
        (lambda request: None, "the scorer returned None, neither a number nor a ScoringAnswer"),
        (lambda request: True, "the scorer returned True, neither"),
        (lambda request: "70", "the scorer returned '70', neither"),
        (lambda request: 101, "the scorer returned what is no score"),
        (lambda request: -1, "the scorer returned what is no score"),
        (lambda request: float("nan"), "the scorer returned what is no score"),
        (lambda request: ScoringAnswer("70"), "the scorer returned what is no score"),  # type: ignore[arg-type]
        (
            lambda request: ScoringAnswer(7, (Signal("X", 5, 0, 1, ""),)),
            "the scorer returned what is no score",
        ),
        (lambda request: ScoringAnswer(7, 5), "the scorer returned what is no score"),  # type: ignore[arg-type]
    ],
)
def test_a_broken_scorer_lets_nothing_through(open_enclave: Opens, scorer: Any, how: str) -> None:
    enclave = open_enclave(tools=TOOLS, scoring_gate=gate(scorer=scorer))
    result = enclave.run(HARMLESS)
    assert result.error is not None
    assert result.error.code == ErrorCode.SCORING_BLOCKED
    assert "secret" not in str(result.error)
    assert result.score is not None
    assert result.score.failure.startswith(how)
    assert not result.stats.tool_calls


def test_an_async_scorer_that_cancels_itself_has_failed(open_enclave: Opens) -> None:
    async def scorer(request: ScoringRequest) -> int:
        raise asyncio.CancelledError

    result = open_enclave(scoring_gate=gate(scorer=scorer)).run("1")
    assert result.score is not None
    assert result.score.failure.startswith("the scorer failed (CancelledError")


def test_a_scorer_that_fails_open_leaves_it_to_the_rules(open_enclave: Opens) -> None:
    options = gate(scorer=Broken(), fail_open=True)
    enclave = open_enclave(tools=TOOLS, scoring_gate=options)
    assert enclave.run(HARMLESS).unwrap() == "ada"
    blocked = enclave.run(EXFIL)
    assert blocked.error is not None
    assert blocked.error.verdict == BLOCKED


@pytest.mark.parametrize("fail_open", [False, True])
def test_a_scorer_that_does_not_answer_is_not_waited_for(
    open_enclave: Opens, *, fail_open: bool
) -> None:
    ended = threading.Event()

    def scorer(request: ScoringRequest) -> int:
        ended.wait()
        return 0

    options = gate(scorer=scorer, timeout=0.05, fail_open=fail_open)
    enclave = open_enclave(tools=TOOLS, scoring_gate=options)
    try:
        result = enclave.run(HARMLESS)
        assert result.success is fail_open
        assert result.score is not None
        assert result.score.failure == "the scorer took longer than 0.05 s"
        assert result.score.decision == ("warn" if fail_open else "block")
        assert enclave.run("1").success is fail_open, "the next run has a thread as well"
    finally:
        ended.set()


def test_an_async_scorer_that_does_not_answer_is_not_waited_for(open_enclave: Opens) -> None:
    async def scorer(request: ScoringRequest) -> int:
        await asyncio.Event().wait()
        return 0

    result = open_enclave(scoring_gate=gate(scorer=scorer, timeout=0.05)).run("1")
    assert result.score is not None
    assert result.score.failure == "the scorer took longer than 0.05 s"


def test_scoring_does_not_count_towards_the_timeout(open_enclave: Opens) -> None:
    def scorer(request: ScoringRequest) -> int:
        time.sleep(0.6)
        return 0

    limits = Limits(timeout=0.3)
    enclave = open_enclave(scoring_gate=gate(scorer=scorer), limits=limits)
    result = enclave.run("1")
    assert result.unwrap() == 1
    late = enclave.run("while True: pass")
    assert late.error is not None
    assert late.error.code == ErrorCode.TIMEOUT, "the twin: the program has the whole of it"


# --- what is known already ------------------------------------------------------------------------


class Counting:
    """A scorer that notes what it is asked."""

    def __init__(self, answer: Any = 5) -> None:
        self.asked: list[str | None] = []
        self.answer = answer

    def __call__(self, request: ScoringRequest) -> Any:
        self.asked.append(request.source)
        return self.answer


def test_a_program_is_scored_once(open_enclave: Opens) -> None:
    scorer = Counting(80)
    enclave = open_enclave(tools=TOOLS, scoring_gate=gate(scorer=scorer))
    first, second = enclave.run(EXFIL), enclave.run(EXFIL)
    assert first.score == second.score
    assert isinstance(first.error, GuestError)
    assert isinstance(second.error, GuestError)
    assert first.error.message == second.error.message
    assert len(scorer.asked) == 1
    assert [record.outcome for record in enclave.history] == ["scored", "scored"]
    enclave.run(EXFIL + " ")
    assert len(scorer.asked) == 2


def test_a_known_program_runs(open_enclave: Opens) -> None:
    enclave = open_enclave(tools=TOOLS, scoring_gate=gate())
    assert [enclave.run(HARMLESS).unwrap() for _ in range(2)] == ["ada", "ada"]
    with enclave.session() as session:
        assert session.run(HARMLESS).unwrap() == "ada"


def test_failures_are_not_kept(open_enclave: Opens) -> None:
    scorer = Counting("nonsense")
    enclave = open_enclave(scoring_gate=gate(scorer=scorer))
    assert not enclave.run("1").success
    scorer.answer = 5
    assert enclave.run("1").success
    assert scorer.asked == ["1", "1"]


@pytest.mark.parametrize(("size", "asked"), [(0, "12312"), (2, "12312"), (3, "123")])
def test_the_cache_is_bounded(open_enclave: Opens, size: int, asked: str) -> None:
    scorer = Counting()
    enclave = open_enclave(scoring_gate=gate(scorer=scorer, cache_size=size))
    for program in "12312":
        enclave.run(program)
    assert "".join(map(str, scorer.asked)) == asked


def test_what_was_used_lately_is_kept(open_enclave: Opens) -> None:
    scorer = Counting()
    enclave = open_enclave(scoring_gate=gate(scorer=scorer, cache_size=2))
    for program in "12131":
        enclave.run(program)
    assert "".join(map(str, scorer.asked)) == "123"


def test_enclaves_do_not_share_what_they_know(open_enclave: Opens) -> None:
    scorer = Counting()
    for _ in range(2):
        open_enclave(scoring_gate=gate(scorer=scorer)).run("1")
    assert scorer.asked == ["1", "1"]


# --- checks ---------------------------------------------------------------------------------------


def test_a_check_says_the_score_and_leaves_no_trace(open_enclave: Opens) -> None:
    told: list[Score] = []
    enclave = open_enclave(tools=TOOLS, scoring_gate=gate(on_score=told.append))
    report = enclave.check(EXFIL)
    assert not report.passes
    assert report.score is not None
    assert (report.score.score, report.score.decision) == (75, "block")
    harmless = enclave.check(HARMLESS)
    assert harmless.passes
    assert harmless.score == Score(0, (), "allow")
    assert enclave.check("for for").score is None
    assert not told
    assert not enclave.history


def test_a_check_asks_the_scorer(open_enclave: Opens) -> None:
    enclave = open_enclave(tools=TOOLS, scoring_gate=gate(scorer=Counting(41)))
    report = enclave.check(HARMLESS)
    assert report.passes
    assert report.score == Score(41, (), "warn")


def test_a_check_without_a_gate_has_no_score(open_enclave: Opens) -> None:
    assert open_enclave(tools=TOOLS).check(EXFIL).score is None


# --- options --------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [True, "rules", 70, {}])
def test_a_gate_is_a_scoring_gate(open_enclave: Opens, value: Any) -> None:
    with pytest.raises(ConfigError, match=r"scoring_gate must be ScoringGate\(...\) or None"):
        open_enclave(scoring_gate=value)


def test_an_analyzer_that_cannot_be_sent_is_refused(open_enclave: Opens) -> None:
    lock = threading.Lock()

    def analyze(source: str, tree: ast.Module) -> Any:
        return lock

    with pytest.raises(ConfigError, match="analyzer 'SEVENS': analyze uses lock"):
        open_enclave(scoring_gate=analyzed(analyze))


def test_analyzers_that_are_too_large_are_refused(open_enclave: Opens) -> None:
    much = "x" * 2**20

    def analyze(source: str, tree: ast.Module) -> Any:
        return much

    with pytest.raises(ConfigError, match=r"scoring_gate.analyzers: their functions"):
        open_enclave(scoring_gate=analyzed(analyze))

"""Asks a scorer behind a URL: with a timeout, again after a while, and for ever never.

It is asked in a thread, by both enclaves, so that there is one way to do it. The environment does
not decide where it is asked: no proxy and no certificates are taken from there, and no redirect is
followed, which could carry the headers elsewhere.
"""

from __future__ import annotations

import random
import time
import weakref
from typing import TYPE_CHECKING, Any, Final

import httpx
import msgspec

from doublevm.host.scoring import Unanswered
from doublevm.score import ScoringAnswer

if TYPE_CHECKING:
    from doublevm.score import ScoringRequest
    from doublevm.scoring_options import HttpScorer

LONGEST_ANSWER: Final = 64 * 1024
"""Bytes of an answer."""

FIRST_WAIT: Final = 0.1
"""Seconds before the second attempt, at most; twice as many before each one more."""

TRY_AGAIN: Final = frozenset((429, 500, 502, 503, 504))
"""Statuses that say that it may be another time: RFC 9110 and 6585."""

_decode: Final = msgspec.json.Decoder(ScoringAnswer).decode


class _AgainError(Exception):
    """There was no answer, and there may be one the next time."""


class HttpScoring:
    """Posts requests, and keeps its connections."""

    def __init__(self, options: HttpScorer, seconds: float) -> None:
        """Ask as ``options`` say, for so many seconds altogether."""
        self._options, self._seconds = options, seconds
        self._client = httpx.Client(trust_env=False, headers=dict(options.headers))
        weakref.finalize(self, self._client.close)

    def __call__(self, request: ScoringRequest) -> ScoringAnswer:
        """Return the answer.

        Raises:
            Unanswered: there is none that can be used, in time.
        """
        until = time.monotonic() + self._seconds
        body, why = self._body(request), ""
        for attempt in range(self._options.retries + 1):
            try:
                return self._attempt(body, until)
            except _AgainError as problem:
                why = str(problem)
            # Jitter, or all that were turned away together would come back together.
            wait = random.uniform(0, FIRST_WAIT * 2**attempt)  # noqa: S311 - no secret
            if attempt == self._options.retries or time.monotonic() + wait >= until:
                break
            time.sleep(wait)
        raise Unanswered(f"{why}, after {attempt + 1} attempts")

    def _body(self, request: ScoringRequest) -> bytes:
        told: dict[str, Any] = msgspec.to_builtins(request)
        if not self._options.send_source:
            del told["source"]
        return msgspec.json.encode(told)

    def _attempt(self, body: bytes, until: float) -> ScoringAnswer:
        seconds = max(0.0, min(self._options.timeout, until - time.monotonic()))
        until = time.monotonic() + seconds
        kind = {"Content-Type": "application/json"}
        try:
            with self._client.stream(
                "POST", self._options.url, content=body, headers=kind, timeout=seconds
            ) as response:
                if response.status_code in TRY_AGAIN:
                    raise _AgainError(f"the scorer answered with status {response.status_code}")
                if response.status_code != httpx.codes.OK:
                    raise Unanswered(f"the scorer answered with status {response.status_code}")
                return _answer(_read(response, until))
        except httpx.HTTPError as error:
            raise _AgainError(f"the scorer did not answer ({type(error).__name__})") from None


def _read(response: httpx.Response, until: float) -> bytes:
    """Return the body. Each part of it may come in time, and all of them too late."""
    body = b""
    for part in response.iter_bytes():
        body += part
        if len(body) > LONGEST_ANSWER:
            raise Unanswered(f"the scorer's answer has more than {LONGEST_ANSWER:,} bytes")
        if time.monotonic() > until:
            raise _AgainError("the scorer did not answer in time")
    return body


def _answer(body: bytes) -> ScoringAnswer:
    try:
        return _decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise Unanswered(f"the scorer's answer is none: {error}") from None

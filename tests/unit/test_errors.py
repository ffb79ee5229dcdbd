"""Errors as values: they survive pickling, copying and being printed."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

from doublevm import (
    ConfigError,
    Deny,
    EnclaveError,
    EngineUnavailable,
    ErrorCode,
    GuestError,
    PoolRefused,
    ProtocolError,
    VMCrashed,
    VMError,
)

GUEST = GuestError(
    ErrorCode.OPERATION_DENIED,
    "PermissionError: mail:send denied",
    type_name="PermissionError",
    line=3,
    traceback="Traceback …",
    operation="mail:send",
    verdict=Deny("names", "unregistered", "there is no such tool"),
)
ERRORS: list[EnclaveError] = [
    GUEST,
    ConfigError("x"),
    PoolRefused("full", "x"),
    VMError("x"),
    EngineUnavailable("x"),
    VMCrashed("inner", "x"),
    ProtocolError("parent", "call", "x"),
]


def pickled(error: EnclaveError) -> Any:
    return pickle.loads(pickle.dumps(error))  # noqa: S301 - this test's own


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("through", [copy.copy, copy.deepcopy, pickled])
def test_they_survive(error: EnclaveError, through: Any) -> None:
    twin = through(error)
    assert type(twin) is type(error)
    assert (str(twin), twin.args, vars(twin)) == (str(error), error.args, vars(error))


def test_a_guest_error_in_one_line() -> None:
    assert str(GUEST) == "OPERATION_DENIED: PermissionError: mail:send denied (line 3)"
    assert str(GuestError(ErrorCode.TIMEOUT, "too long")) == "TIMEOUT: too long"


def test_who_is_at_fault() -> None:
    assert issubclass(ConfigError, ValueError)
    assert not issubclass(GuestError, VMError)
    for kind in (EngineUnavailable, VMCrashed, ProtocolError):
        assert issubclass(kind, VMError)

"""Secrets stay out of everything that is kept."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from doublevm import ConfigError
from doublevm.audit import CallableSink, Redact, read_trail, verify_trail
from doublevm.host.sinks.entries import Attempt, arguments_of, as_json, encode_entry
from doublevm.host.sinks.secret_kinds import KINDS
from doublevm.verdict import Deny
from tests.audit.making import attempt, ended, opened

if TYPE_CHECKING:
    from pathlib import Path

    from tests.behaviour.drivers import Opens

KEY = b"0123456789abcdef"
SECRET = "hunter2-" * 2


def redacted(redact: Redact, arguments: dict[str, Any], **changes: Any) -> Attempt:
    return redact.entry(attempt(arguments=as_json(arguments), **changes))


def kept(redact: Redact, arguments: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return arguments_of(redacted(redact, arguments, **changes))


def test_a_field_is_replaced_at_any_depth() -> None:
    redact = Redact(fields=["password"], key=KEY)
    marker = redact.marker("password", SECRET)
    assert kept(redact, {"password": SECRET, "user": "ada"}) == {"password": marker, "user": "ada"}
    assert kept(redact, {"a": [{"b": {"password": SECRET}}]}) == {
        "a": [{"b": {"password": marker}}]
    }
    assert kept(redact, {"password": [SECRET, {"x": SECRET}]}) == {
        "password": redact.marker("password", [SECRET, {"x": SECRET}])
    }


def test_fields_of_one_tool_are_no_other_tools() -> None:
    redact = Redact(fields={"users:login": ["pin"], "*": ["password"]}, key=KEY)
    assert kept(redact, {"pin": 1234, "password": "x"}) == {
        "pin": 1234,
        "password": redact.marker("password", "x"),
    }
    assert kept(redact, {"pin": 1234}, operation="users:login") == {
        "pin": redact.marker("pin", 1234)
    }


def test_what_was_denied_may_be_a_tools_own_call_misspelled() -> None:
    redact = Redact(fields={"users:login": ["pin"], "users:drop": ["why"]}, key=KEY)
    denied = Deny("names", "unregistered", "there is no such tool")
    arguments = {"pin": 1234, "why": "x", "user": "ada"}
    assert kept(redact, arguments, operation="users:Login", verdict=denied) == {
        "pin": redact.marker("pin", 1234),
        "why": redact.marker("why", "x"),
        "user": "ada",
    }
    assert kept(redact, arguments, operation="users:Login") == arguments, "the twin: it is a tool"
    assert kept(redact, arguments, operation="users:drop", verdict=denied)["pin"] == 1234


def test_a_key_of_bytes_is_a_name_too() -> None:
    redact = Redact(fields=["password"], key=KEY)
    found = kept(redact, {"a": {b"password": SECRET, b"user": "ada"}})
    assert found == {"a": {b"password": redact.marker("password", SECRET), b"user": "ada"}}


def test_halves_of_a_character_and_no_numbers_are_replaced_like_others() -> None:
    redact = Redact(fields=["password"], key=KEY)
    for value in ("\ud800" + SECRET, float("nan"), {float("inf"): "\udfff"}):
        entry = redacted(redact, {"password": value, "other": value})
        assert arguments_of(entry)["password"] == redact.marker("password", value)
        encode_entry(entry)


def test_a_score_is_looked_at_like_arguments() -> None:
    token = SECRETS["github_token"]
    entry = redacted(
        Redact(key=KEY),
        {"score": 3, "failure": f"no answer for {token}", "signals": [{"places": [token]}]},
        operation="",
        verdict=Deny("scoring", "failed", f"no answer for {token}"),
    )
    assert token.encode() not in encode_entry(entry)


def test_equal_values_can_be_matched_and_others_told_apart() -> None:
    redact = Redact(fields=["password"], key=KEY)
    assert redact.digest(SECRET) == Redact(key=KEY).digest(SECRET)
    assert redact.digest(SECRET) in kept(redact, {"password": SECRET})["password"]
    assert len({redact.digest(value) for value in (1, 1.0, True, "1", b"1", None, [1])}) == 7
    other = Redact(key=b"another key, as long")
    assert redact.digest(SECRET) != other.digest(SECRET), "whoever has not the key cannot guess"
    assert Redact().digest(SECRET) != Redact().digest(SECRET)


# Not whole, so that nothing that looks for secrets finds one in this file.
SECRETS: dict[str, str] = {
    "private_key": "-----BEGIN RSA PRIVATE "
    "KEY-----\nMIIB\nProc-Type: 4\n-----END RSA PRIVATE KEY-----",
    "jwt": "eyJhbGciOiJIUzI1NiJ9" + ".eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0",
    "aws_key": "AKIA" + "IOSFODNN7EXAMPLE",
    "github_token": "ghp_" + "a1" * 18,
    "gitlab_token": "glpat-" + "a1" * 10,
    "slack_token": "xoxb-" + "123456789012-abcdef",
    "google_key": "AIza" + "a" * 35,
    "stripe_key": "sk_live_" + "a1" * 12,
    "sk_key": "sk-proj-" + "a1" * 20,
    "bearer": "Bearer " + "abcdef0123456789.abc",
    "url_password": "ada:" + SECRET,
    "card": "4111 1111 1111 " + "1111",
}
AROUND = {"url_password": ("postgres://", "@host/db")}


def test_every_kind_has_an_example() -> None:
    assert SECRETS.keys() == KINDS.keys()


@pytest.mark.parametrize("kind", SECRETS)
def test_secrets_are_known_by_their_looks(kind: str) -> None:
    before, after = AROUND.get(kind, ("it is ", ", no?"))
    text = before + SECRETS[kind] + after
    redact = Redact(key=KEY)
    expected = before + redact.marker(kind, SECRETS[kind]) + after
    assert redact.text(text) == expected
    assert redact.text(text * 2) == expected * 2
    assert kept(redact, {"a": [text], text: "key"}) == {"a": [expected], expected: "key"}
    assert Redact(secrets=False).text(text) == text, "the control"
    assert Redact(secrets=[kind], key=KEY).text(text) == expected


HARMLESS = [
    "4111 1111 1111 1112",  # its check digit is wrong
    "1234567890123",
    "task-force-and-other-words-of-some-length",
    "the bearer of good news",
    "https://example.com:8080/a@b",
    "-----BEGIN PUBLIC KEY-----",
    "AKIAshort",
    "2026-11-22T20:11:18.123456",
    "0123456789abcdef0123456789abcdef",
]


@pytest.mark.parametrize("text", HARMLESS)
def test_the_twin_what_only_resembles_one_stays(text: str) -> None:
    assert Redact().text(text) == text


LONG = 300_000


@pytest.mark.parametrize(
    "part",
    ["-----BEGIN PRIVATE KEY-----", "-----BEGIN ", "-", "eyJ", "eyJaaaaaaaaa.", "AKIA", "ghp_",
     "xoxb-", "sk-", "sk_live_", "Bearer ", "bearer", "://a:", "://", "4", "4 ", "4-", "AIza"],
)  # fmt: skip
def test_no_text_takes_long(part: str) -> None:
    """A pattern that takes time by the square would take some minutes here."""
    text = part * (LONG // len(part))
    kept = Redact().text(text)
    assert kept == text or "[redacted " in kept


def test_own_patterns() -> None:
    redact = Redact(patterns=[r"EMP-\d+", re.compile("(?i)project x")], secrets=False, key=KEY)
    assert redact.text("EMP-12 of Project X") == (
        f"{redact.marker('pattern', 'EMP-12')} of {redact.marker('pattern', 'Project X')}"
    )


def test_what_stands_for_a_secret_is_not_redacted_again() -> None:
    redact = Redact(patterns=[r"\w+", r"[0-9a-f]+"], key=KEY)
    text = redact.text(SECRETS["aws_key"])
    assert text == redact.marker("aws_key", SECRETS["aws_key"])


def test_no_guest_can_hide_a_secret_behind_a_false_mark() -> None:
    redact = Redact(key=KEY)
    false = redact.marker(SECRETS["aws_key"], "x")
    assert SECRETS["aws_key"] not in redact.text(false)


def test_values_of_other_types() -> None:
    redact = Redact(key=KEY)
    card = int(SECRETS["card"].replace(" ", ""))
    data = SECRETS["aws_key"].encode()
    arguments = {"card": card, "data": data, "n": 1, "none": None, "yes": True, "set": {"a"},
                 "big": 10**5000, "t": (SECRETS["aws_key"],)}  # fmt: skip
    assert kept(redact, arguments) == {
        "card": redact.marker("value", card),
        "data": redact.marker("value", data),
        "n": 1,
        "none": None,
        "yes": True,
        "set": {"a"},
        "big": 10**5000,
        "t": (redact.marker("aws_key", SECRETS["aws_key"]),),
    }


@pytest.mark.parametrize(
    ("value", "quoted"),
    [(SECRET, repr(SECRET)), (SECRET * 9, repr(SECRET * 9)[:60]), (b"\x00" + b"secret", "\\x00se"),
     ([7, {"zq": SECRET}], SECRET), (123456, "123456")],
)  # fmt: skip
def test_a_reason_that_quotes_it_is_replaced(value: Any, quoted: str) -> None:
    redact = Redact(fields=["password"], key=KEY)
    reason = f"argument 'password' must be one of 1, not {quoted}"
    entry = redacted(redact, {"password": value}, verdict=Deny("arguments", "shape", reason))
    assert entry.verdict == Deny("arguments", "shape", redact.marker("reason", reason))
    other = redacted(redact, {"password": value}, verdict=Deny("rate", "max", "too many"))
    assert other.verdict == Deny("rate", "max", "too many"), "the twin"


def test_names_of_operations_are_a_guests_too() -> None:
    redact = Redact(key=KEY)
    entry = redacted(redact, {}, operation=f"send:{SECRETS['aws_key']}")
    assert entry.operation == f"send:{redact.marker('aws_key', SECRETS['aws_key'])}"


def test_other_entries_are_left_alone() -> None:
    assert Redact(fields=["run"]).entry(ended()) == ended()


def test_its_key_is_shown_nowhere() -> None:
    assert repr(KEY) not in repr(Redact(key=KEY))
    assert KEY.decode() not in repr(vars(CallableSink(print, redact=Redact(key=KEY))))


BAD: list[dict[str, Any]] = [
    {"fields": "password"},
    {"fields": [1]},
    {"fields": {"a": "password"}},
    {"fields": 1},
    {"patterns": "x"},
    {"patterns": ["("]},
    {"patterns": [b"x"]},
    {"patterns": [1]},
    {"secrets": ["passport"]},
    {"secrets": "card"},
    {"key": b"short"},
    {"key": "text that is long enough"},
]


@pytest.mark.parametrize("options", BAD, ids=str)
def test_wrong_options(options: dict[str, Any]) -> None:
    (name,) = options
    with pytest.raises(ConfigError, match=f"^{name}"):
        Redact(**options)
    with pytest.raises(ConfigError, match=r"^redact must be"):
        CallableSink(print, redact=options)


def test_nothing_of_it_is_in_any_file(open_enclave: Opens, kind: str, tmp_path: Path) -> None:
    def login(user: str, password: str) -> str:
        return user

    redact = Redact(fields=["password"], key=KEY)
    program = f"""
login("ada", "{SECRET}")
for bad in [dict(user=1, password="{SECRET}"), dict(user="ada", password=["{SECRET}"])]:
    try:
        login(**bad)
    except TypeError:
        pass
try:
    call_tool("{SECRETS["aws_key"]}", {{"password": "{SECRET}"}})
except PermissionError:
    pass
"""
    with opened(kind, tmp_path, redact=redact) as sink:
        result = open_enclave(tools=[login], audit=sink).run(program)
        assert result.success, result.error
    assert len(result.audit) == 4
    assert SECRET in repr(result.audit), "the control: in memory all is in clear"
    stored = list(read_trail(sink.path).operations())
    assert stored[0].arguments == {"user": "ada", "password": redact.marker("password", SECRET)}
    assert verify_trail(sink.path).ok
    for each in tmp_path.iterdir():
        data = each.read_bytes()
        assert SECRET[:8].encode() not in data
        assert SECRETS["aws_key"].encode() not in data


def test_the_attempt_that_is_kept_can_be_encoded_whatever_was_in_it() -> None:
    for text in ("\ud800", "\x00", "\U0001f600", "\\", '"'):
        assert encode_entry(redacted(Redact(), {"a": text, text: 1}))

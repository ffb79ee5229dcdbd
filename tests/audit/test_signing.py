"""Keys: what signs, what verifies, and what neither can do."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from doublevm import ConfigError
from doublevm.audit import Ed25519Signer, Ed25519Verifier, HmacKey, SqliteSink, verify_trail
from doublevm.host.sinks.signing import read_verifier
from tests.audit.making import attempt

if TYPE_CHECKING:
    from pathlib import Path

PRIVATE = ed25519.Ed25519PrivateKey.from_private_bytes(b"p" * 32)


def pem(key: Any) -> bytes:
    data: bytes = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return data


def test_a_trail_signed_with_ed25519(tmp_path: Path) -> None:
    path = tmp_path / "trail.sqlite"
    with SqliteSink(path, signer=Ed25519Signer(PRIVATE), checkpoint_every=2) as sink:
        for number in range(5):
            sink.write([attempt(number)])
        head = sink.head
    found = verify_trail(path, verifier=Ed25519Verifier(PRIVATE.public_key()))
    assert found.ok, found.faults
    assert found.signed_to >= head.seq
    other = Ed25519Verifier(ed25519.Ed25519PrivateKey.generate().public_key())
    assert not verify_trail(path, verifier=other).ok
    assert not verify_trail(path, verifier=HmacKey(b"k" * 16)).ok


def test_raw_keys_and_keys_of_cryptography_are_the_same() -> None:
    signer = Ed25519Signer(b"p" * 32)
    raw = PRIVATE.public_key().public_bytes_raw()
    assert (
        signer.key == Ed25519Signer(PRIVATE).key == Ed25519Verifier(raw).key == signer.verifier.key
    )
    signature = signer.sign(b"data")
    assert signer.verifier.is_right(b"data", signature)
    assert not signer.verifier.is_right(b"dat", signature)
    assert not signer.verifier.is_right(b"data", b"short")


def test_keys_in_files(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(pem(PRIVATE))
    assert read_verifier(path).key == Ed25519Signer(PRIVATE).key
    path.write_bytes(b"s" * 32)
    assert read_verifier(path).key == HmacKey(b"s" * 32).key


@pytest.mark.parametrize(
    "data",
    [b"short", b"-----BEGIN NOTHING", pem(ec.generate_private_key(ec.SECP256R1()))],
    ids=["short", "no pem", "another kind"],
)
def test_files_without_a_key(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "key"
    path.write_bytes(data)
    with pytest.raises(ConfigError):
        read_verifier(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_verifier(tmp_path / "none")


@pytest.mark.parametrize("key", [b"short", "text", None])
def test_what_is_no_key(key: Any, tmp_path: Path) -> None:
    for make in (HmacKey, Ed25519Signer, Ed25519Verifier):
        with pytest.raises(ConfigError):
            make(key)
    with pytest.raises(ConfigError, match="signer must be"):
        SqliteSink(tmp_path / "trail.sqlite", signer=b"k" * 32)


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.asymmetric", None)
    with pytest.raises(ConfigError, match=r"install doublevm\[signing\]"):
        Ed25519Signer(b"p" * 32)


def test_a_signer_that_fails_lets_nothing_be_kept(tmp_path: Path) -> None:
    class Broken(HmacKey):
        def sign(self, data: bytes) -> bytes:
            raise RuntimeError("no key today")

    sink = SqliteSink(tmp_path / "trail.sqlite", signer=Broken(b"k" * 16), checkpoint_every=2)
    sink.write([attempt(1), attempt(2)])
    for _ in range(2):
        with pytest.raises(RuntimeError):
            sink.write([attempt(3)])
    with pytest.raises(RuntimeError):
        sink.close()
    sink.close()
    assert verify_trail(sink.path).attempts == 2

"""Signatures of checkpoints: who has the key only to verify cannot write a trail anew.

Ed25519 comes from ``cryptography``, an extra; HMAC-SHA256 from the standard library, but there who
can verify can also sign.
"""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

from doublevm.errors import ConfigError

if TYPE_CHECKING:
    from doublevm.host.sinks.entries import Checkpoint

Scheme = Literal["hmac-sha256", "ed25519"]

LEAST_KEY_BYTES: Final = 16
_FINGERPRINT: Final = 16
"""Hexadecimal digits of a key's name in a trail."""


class Verifier(Protocol):
    """Knows whether a signature is that of its key."""

    scheme: Scheme
    key: str
    """The key's fingerprint."""

    def is_right(self, data: bytes, signature: bytes) -> bool:
        """Whether ``signature`` is the key's over ``data``."""


class Signer(Protocol):
    """Signs checkpoints."""

    scheme: Scheme
    key: str
    """The key's fingerprint."""

    def sign(self, data: bytes) -> bytes:
        """Return the signature over ``data``."""


class HmacKey:
    """Signs and verifies with a secret that both sides have."""

    scheme: Scheme = "hmac-sha256"

    def __init__(self, secret: bytes) -> None:
        """Use a secret of at least 16 bytes.

        Raises:
            ConfigError: it is none.
        """
        check_key("secret", secret)
        self._secret = secret
        named = hmac.new(secret, b"doublevm audit key", hashlib.sha256)
        self.key = named.hexdigest()[:_FINGERPRINT]

    def sign(self, data: bytes) -> bytes:
        """Return the HMAC-SHA256 of ``data``."""
        return hmac.new(self._secret, data, hashlib.sha256).digest()

    def is_right(self, data: bytes, signature: bytes) -> bool:
        """Whether ``signature`` is the HMAC-SHA256 of ``data``."""
        return hmac.compare_digest(self.sign(data), signature)


class Ed25519Signer:
    """Signs with an Ed25519 key (RFC 8032)."""

    scheme: Scheme = "ed25519"

    def __init__(self, private_key: Any) -> None:
        """Use a key of ``cryptography``, or its 32 bytes.

        Raises:
            ConfigError: it is none, or ``cryptography`` is not installed.
        """
        ed25519 = _ed25519()
        if isinstance(private_key, bytes):
            private_key = _made(ed25519.Ed25519PrivateKey.from_private_bytes, private_key)
        if not isinstance(private_key, ed25519.Ed25519PrivateKey):
            raise ConfigError("private_key must be an Ed25519 key, or its 32 bytes")
        self._private = private_key
        self.key = _fingerprint(private_key.public_key())

    def sign(self, data: bytes) -> bytes:
        """Return the signature over ``data``, 64 bytes."""
        signature: bytes = self._private.sign(data)
        return signature

    @property
    def verifier(self) -> Ed25519Verifier:
        """What verifies with the key's public half."""
        return Ed25519Verifier(self._private.public_key())


class Ed25519Verifier:
    """Verifies with the public half of an Ed25519 key, which need not be kept secret."""

    scheme: Scheme = "ed25519"

    def __init__(self, public_key: Any) -> None:
        """Use a key of ``cryptography``, or its 32 bytes.

        Raises:
            ConfigError: it is none, or ``cryptography`` is not installed.
        """
        ed25519 = _ed25519()
        if isinstance(public_key, bytes):
            public_key = _made(ed25519.Ed25519PublicKey.from_public_bytes, public_key)
        if not isinstance(public_key, ed25519.Ed25519PublicKey):
            raise ConfigError("public_key must be an Ed25519 key, or its 32 bytes")
        self._public = public_key
        self.key = _fingerprint(public_key)

    def is_right(self, data: bytes, signature: bytes) -> bool:
        """Whether ``signature`` is the key's over ``data``."""
        from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - an extra

        try:
            self._public.verify(signature, data)
        except InvalidSignature:
            return False
        return True


def read_verifier(path: Path) -> Verifier:
    """Return what a key file verifies: a PEM of an Ed25519 public key, or an HMAC secret's bytes.

    Raises:
        ConfigError: it is neither, or cannot be read.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise ConfigError(f"the key {path} cannot be read: {error.strerror}") from None
    if not data.startswith(b"-----BEGIN"):
        return HmacKey(data)
    _ed25519()
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - an extra

    try:
        return Ed25519Verifier(serialization.load_pem_public_key(data))
    except ValueError:
        raise ConfigError(f"{path} is no PEM file of an Ed25519 public key") from None


def signed_text(trail: str, seq: int, digest: str) -> bytes:
    """Return what a checkpoint's signature is over; nothing else may be signed in this form."""
    return f"doublevm audit checkpoint\n{trail}\n{seq}\n{digest}\n".encode()


def signature_fault(checkpoint: Checkpoint, verifier: Verifier) -> str | None:
    """Return what is wrong with a checkpoint's signature, if anything."""
    if checkpoint.signature is None:
        return "the checkpoint is not signed"
    if (checkpoint.signer, checkpoint.key) != (verifier.scheme, verifier.key):
        return "the checkpoint is signed with another key"
    data = signed_text(checkpoint.trail, checkpoint.seq, checkpoint.hash)
    try:
        right = verifier.is_right(data, bytes.fromhex(checkpoint.signature))
    except ValueError:
        right = False
    return None if right else "the checkpoint's signature is wrong"


def check_key(name: str, key: object) -> None:
    """Refuse what is too short for a secret key.

    Raises:
        ConfigError: it is.
    """
    if not isinstance(key, bytes) or len(key) < LEAST_KEY_BYTES:
        raise ConfigError(
            f"{name} must be {LEAST_KEY_BYTES} bytes or more; secrets.token_bytes(32) makes some"
        )


def _ed25519() -> Any:
    try:
        from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: PLC0415 - an extra
    except ImportError:
        raise ConfigError(
            "Ed25519 needs the package cryptography: install doublevm[signing]"
        ) from None
    return ed25519


def _made(make: Any, data: bytes) -> Any:
    try:
        return make(data)
    except ValueError:
        raise ConfigError(f"an Ed25519 key has 32 bytes, not {len(data)}") from None


def _fingerprint(public_key: Any) -> str:
    raw = public_key.public_bytes_raw()
    return hashlib.sha256(raw).hexdigest()[:_FINGERPRINT]

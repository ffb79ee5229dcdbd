from __future__ import annotations

import pytest

from tests.barriers.cases import Harmless, Table
from tests.barriers.sequences import harmless_orders, listed, only, pairs, steps, windows, words

ID = "CREDENTIAL_EXFIL"
CREDENTIALS = listed(
    "credential credentials secret secrets password passwords passwd token tokens apikey apikeys "
    "keychain vault oauth"
)
EXTERNALS = listed(
    "send export post write upload publish emit transmit forward external http https webhook "
    "webhooks request email mail slack sms notify ftp url remote curl proxy"
)
KEY_KINDS = listed("api access private secret signing encryption ssh")

PAIRS = [
    ("vault:get_token", "http:request", "html:render"),
    ("getPassword", "sendMail", "showMain"),
    ("aws.secrets", "slack:notify", "slacker"),
    ("user:apiKey", "curl", "curly"),
    ("ssh_keys:list", "ftp.put", "sftpd.put"),
    ("OAuth", "post", "postal"),
    ("getOAuthInfo", "post", "postal"),
    *((f"x:{kind}_key", "http", "hop") for kind in KEY_KINDS),
    *((f"x:{kind}Keys", "http", "hop") for kind in KEY_KINDS),
]

NO_CREDENTIALS = [
    "key:press",
    "primary_key",
    "keys",
    "api:call",
    "key_api",  # the kind stands before the key
    "api:list_key",  # right before it
    "tokenize",
    "secretary:list",
    "monkey:api",
    "private:room",
    "auth",
    "authors:o",
]


class TestTable(Table):
    denials = (
        *pairs(ID, PAIRS),
        *words(ID, CREDENTIALS, EXTERNALS, "y:render"),
        *windows(ID, "vault:token", "http:request"),
    )
    harmless = (
        *harmless_orders(ID, "users:password", "web:upload"),
        *(Harmless(name, steps(name, "http:request"), only(ID)) for name in NO_CREDENTIALS),
    )


@pytest.mark.parametrize("key", ["key", "keys"])
@pytest.mark.parametrize("kind", KEY_KINDS)
def test_each_kind_of_key_is_a_credential(kind: str, key: str) -> None:
    from doublevm.barriers.sequence import CredentialExfil
    from doublevm.operation import Operation

    pattern = CredentialExfil(60.0)
    request = Operation("web:request", {})
    pattern.note(f"{kind}_{key}", 0.0, allowed=True)
    assert pattern.detect(request, 1.0) == "credentials were read and something outside is reached"

"""What secrets look like, by kind.

The text is a guest's and may be long, so each pattern takes time in proportion to it: one begins
only where a word begins, and what it repeats cannot be read in two ways.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_CARD_DIGITS: Final = range(13, 20)
"""ISO/IEC 7812: at most 19; none in use is shorter than 13."""


def _is_card(text: str) -> bool:
    """Whether it is a payment card's number by its check digit (Luhn; ISO/IEC 7812-1)."""
    digits = [int(char) for char in text if char.isdecimal()]
    if len(digits) not in _CARD_DIGITS:
        return False
    doubled = (sum(divmod(2 * digit, 10)) for digit in digits[-2::-2])
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def _always(_: str) -> bool:
    return True


def _word(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![A-Za-z0-9_-]){pattern}")


KINDS: Final[dict[str, tuple[re.Pattern[str], Callable[[str], bool]]]] = {
    "private_key": (
        re.compile(
            r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----(?:[^-]|-(?!----))*+"
            r"(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY-----)?"
        ),
        _always,
    ),
    "jwt": (_word(r"eyJ[\w-]{8,}+\.[\w-]{8,}+\.[\w-]*+"), _always),
    "aws_key": (_word(r"(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])"), _always),
    "github_token": (_word(r"(?:gh[pousr]_|github_pat_)\w{20,}+"), _always),
    "gitlab_token": (_word(r"glpat-[\w-]{20,}+"), _always),
    "slack_token": (_word(r"xox[a-z]-[\w-]{10,}+"), _always),
    "google_key": (_word(r"AIza[\w-]{35}"), _always),
    "stripe_key": (_word(r"[rs]k_(?:live|test)_\w{16,}+"), _always),
    "sk_key": (_word(r"sk-[\w-]{20,}+"), _always),
    "bearer": (re.compile(r"(?i:(?<![a-z])bearer) [\w.~+/=-]{16,}+"), _always),
    "url_password": (re.compile(r"(?<=://)[^\s/:@]{1,200}:[^\s/@]{1,200}(?=@)"), _always),
    "card": (re.compile(r"(?<![\w-])\d(?:[ -]?\d){12,18}(?![\w-])"), _is_card),
}
"""Name → (what it looks like, whether it really is one)."""

"""A kernel that offers less: an outer seccomp filter refuses namespaces of users, and Landlock.

Installed in a process before doublevm starts anything from it, it is inherited by every VM. What is
left to confine them is the rung ``reduced``.
"""

from __future__ import annotations

import errno
from types import MappingProxyType
from typing import Final

from doublevm.jail import seccomp
from doublevm.jail.rules import Rule, Table, masked
from doublevm.jail.syscalls import this_machine
from tests.attacks.jail_kernel import CLONE_NEWUSER

_REFUSED: Final = MappingProxyType(
    {
        "landlock_create_ruleset": errno.EOPNOTSUPP,  # as where it is built in and switched off
        "landlock_add_rule": errno.EOPNOTSUPP,
        "landlock_restrict_self": errno.EOPNOTSUPP,
        "clone3": errno.ENOSYS,  # its flags are in memory, where no filter looks
        "unshare": errno.EPERM,
        "clone": errno.EPERM,
    }
)
_NO_NEW_USERS: Final = (masked(0, CLONE_NEWUSER, 0),)


def offer_less() -> None:
    """Install the filter: everything else passes."""
    others = this_machine().numbers.keys() - _REFUSED.keys()
    table = Table(
        "a lesser kernel",
        (
            *(Rule(name, "not what this is about") for name in others),
            Rule("unshare", "no namespace of users", _NO_NEW_USERS),
            Rule("clone", "no namespace of users", _NO_NEW_USERS),
        ),
        errno.ENOSYS,
        _REFUSED,
    )
    seccomp.install(table)

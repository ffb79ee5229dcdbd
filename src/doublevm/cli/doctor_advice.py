"""What the doctor says of a mechanism that is missing: what that leaves open, and what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Final

LEAVES_OPEN: Final = {
    "limits": "A guest can fill memory, and start processes until the machine is full.",
    "seccomp": "Native code in a VM can make any system call: signal processes of its user, delete "
    "and rename files, look whether a path exists, try holes in the kernel. So no guest runs on "
    "cpython.",
    "landlock": "The system call filter alone keeps VMs from files, TCP and other processes; there "
    "is no second lock behind it.",
    "namespaces": "The system's network, root folder and processes are there behind the other "
    "locks, rather than not at all. Every level does without.",
    "own uid": "VMs have a uid in common, with the host if that is not root: the other mechanisms "
    "alone separate them from processes and files of that uid. Every level does without.",
}

_NOT_LINUX: Final = "Run the host on Linux: in a container, in a virtual machine, or in WSL 2."

_ON_LINUX: Final = {
    "limits": "Run the host on Linux.",
    "seccomp": "Use a kernel with CONFIG_SECCOMP_FILTER, on x86_64 or aarch64. In a container or "
    "sandbox: its policy has to allow the system call seccomp.",
    "landlock": "Use Linux 5.13 or newer with CONFIG_SECURITY_LANDLOCK, and add landlock to the "
    "kernel's option lsm=... if /sys/kernel/security/lsm does not name it. In a container: update "
    "the runtime, or allow landlock_create_ruleset, landlock_add_rule and landlock_restrict_self "
    "in its seccomp profile.",
    "namespaces": "In a container: a seccomp profile that allows unshare, mount, umount2 and "
    "pivot_root, and an AppArmor profile that allows mount and userns; a host that "
    "is root needs CAP_SYS_ADMIN.",
    "own uid": "Only a host that is root, with all uids in its user namespace, can give each its "
    "own: that is no reason to run it as root.",
}

_SWITCHES: Final = (
    (
        "/proc/sys/kernel/unprivileged_userns_clone",
        "0",
        "sysctl kernel.unprivileged_userns_clone=1",
    ),
    (
        "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
        "1",
        "sysctl kernel.apparmor_restrict_unprivileged_userns=0, or an AppArmor profile with userns",
    ),
    (
        "/proc/sys/user/max_user_namespaces",
        "0",
        "sysctl user.max_user_namespaces=10000",
    ),
)
"""Files that tell how a system has switched user namespaces off, and how to switch them on."""

FATAL_UID: Final = (
    "Run the host as an ordinary user; or give root CAP_SETUID, CAP_SETGID and CAP_KILL, and more "
    "than one uid in its user namespace."
)


def remedy(name: str, system: str, root: Path = Path("/")) -> str:
    """Say what to do about a mechanism that is missing; ``root`` is where the system's files are.

    Several switches may be set: each is named.
    """
    if system != "Linux":
        return _NOT_LINUX
    if name == "namespaces":
        switches = [advice for path, value, advice in _SWITCHES if _reads(root, path, value)]
        if switches:
            return "; ".join(switches) + "."
    return _ON_LINUX[name]


def _reads(root: Path, path: str, value: str) -> bool:
    try:
        return (root / path.lstrip("/")).read_text().strip() == value
    except OSError:  # this kernel has no such switch
        return False

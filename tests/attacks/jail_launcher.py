"""Makes the outer jail around itself and runs a command in it. See ``outer_jail.py``.

Three processes: the launcher outside, the init of the jail's process namespace, and the command.
Whichever of the first two ends, the kernel ends everything in the jail.

As root, all namespaces but that of users are made first, with root's own rights, so that nobody in
the jail has a say over its mounts and its network. Then comes a user namespace in which no uid is
the real root, as files below /proc/sys obey that one even without capabilities.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

from tests.attacks import jail_kernel as kernel

FIRST_OUTSIDE: Final = 1_890_000_000
"""Real uids of the jail's first 65536, where the tests run as root: assigned to nobody else."""

MAPPED: Final = ((0, FIRST_OUTSIDE, 65536), (1_900_000_000, 1_900_000_000, 4_194_305))
"""The uids of a jail made by root: (inside, outside, count). The second are doublevm's guests'."""

JAIL_USER: Final = 1000

GIB: Final = 1024**3
MIB: Final = 1024**2

FAILED: Final = 125
"""Exit status of a jail that could not be made."""

SIGNALLED: Final = 128
"""Added to the signal that ended the command, as a shell does."""


@dataclass(frozen=True)
class Plan:
    """What to run, and in what."""

    command: list[str]
    root: str
    """An empty folder outside, where the jail's root is mounted."""
    visible: list[str]
    """Paths that can be read in the jail, where they are outside."""
    writable: str | None
    cpu: int
    as_root: bool
    environment: dict[str, str]


def main() -> NoReturn:
    """Run the plan that the first argument has; exit as the command does."""
    plan = Plan(**json.loads(sys.argv[1]))
    kernel.die_with_parent()
    try:
        status = _launch(plan)
    except OSError as error:
        sys.stderr.write(f"{error}\n")
        status = FAILED
    sys.exit(status)


def _launch(plan: Plan) -> int:
    by_root = os.geteuid() == 0
    _leave_namespaces(by_root=by_root)
    ready_read, ready_write = os.pipe()
    mapped_read, mapped_write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(ready_read)
        os.close(mapped_write)
        _exit_with(lambda: _init(plan, by_root, ready_write, mapped_read))
    os.close(ready_write)
    os.close(mapped_read)
    if by_root and os.read(ready_read, 1):
        _map_users(child)
        os.write(mapped_write, b"x")
    return _status(os.waitpid(child, 0)[1])


def _leave_namespaces(*, by_root: bool) -> None:
    if by_root:
        kernel.unshare(kernel.OTHER_NAMESPACES)
        return
    uid, gid = os.geteuid(), os.getegid()
    kernel.unshare(kernel.CLONE_NEWUSER | kernel.OTHER_NAMESPACES)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
    Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")


def _map_users(child: int) -> None:
    rows = "\n".join(" ".join(map(str, row)) for row in MAPPED)
    Path(f"/proc/{child}/uid_map").write_text(rows)
    Path(f"/proc/{child}/gid_map").write_text(rows)


def _init(plan: Plan, by_root: bool, ready: int, mapped: int) -> int:  # noqa: FBT001
    """The jail's first process: make the jail, start the command, wait for its end."""
    kernel.die_with_parent()
    kernel.bring_loopback_up()
    # Only here: a change of root reaches every process of a mount namespace, and the launcher
    # needs its own root for the maps.
    kernel.unshare(kernel.CLONE_NEWNS)
    _make_root(plan)
    if by_root:
        kernel.unshare(kernel.CLONE_NEWUSER)
        os.write(ready, b"x")
        os.read(mapped, 1)
        _become(0 if plan.as_root else JAIL_USER)
    os.close(ready)
    os.close(mapped)
    kernel.die_with_parent()  # once more: changing the uid has cleared it
    _limit(plan)
    if not (by_root and plan.as_root):
        kernel.drop_capabilities()
    kernel.forbid_new_privileges()
    return _run(plan)


def _become(uid: int) -> None:
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)


def _run(plan: Plan) -> int:
    child = os.fork()
    if child == 0:
        os.execve(plan.command[0], plan.command, plan.environment)  # noqa: S606 - no shell wanted
    while True:  # an init also reaps what others have left
        pid, status = os.wait()
        if pid == child:
            return _status(status)


# --- what is visible ------------------------------------------------------------------------


def _make_root(plan: Plan) -> None:
    plain = kernel.MS_NOSUID | kernel.MS_NODEV
    kernel.mount("none", "/", flags=kernel.MS_REC | kernel.MS_PRIVATE)
    kernel.mount("tmpfs", plan.root, "tmpfs", plain, "size=1m,mode=755")
    root = Path(plan.root)
    for name in ("proc", "dev/shm", "tmp"):
        (root / name).mkdir(parents=True)
    kernel.mount("proc", f"{root}/proc", "proc", plain | kernel.MS_NOEXEC)
    kernel.mount("tmpfs", str(root / "tmp"), "tmpfs", plain, "size=64m,mode=1777")
    kernel.mount("tmpfs", str(root / "dev/shm"), "tmpfs", plain, "size=16m,mode=1777")
    for path in (*plan.visible, "/dev/null", "/dev/zero", "/dev/urandom"):
        _show(root, Path(path))
    if plan.writable is not None:
        kernel.mount(plan.writable, _place(root, Path(plan.writable)), flags=kernel.MS_BIND)
    kernel.enter_root(plan.root)


def _show(root: Path, path: Path) -> None:
    """Make a path readable in the jail; a link stays a link."""
    if path.is_symlink():
        target = root / path.relative_to("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(path.readlink())
    elif path.exists():
        place = _place(root, path)
        kernel.mount(str(path), place, flags=kernel.MS_BIND | kernel.MS_REC)
        kernel.make_read_only(place)


def _place(root: Path, path: Path) -> str:
    """Make the empty folder or file that a path is mounted on."""
    target = root / path.relative_to("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        target.mkdir(exist_ok=True)
    else:
        target.touch()
    return str(target)


# --- limits and ends ------------------------------------------------------------------------


def _limit(plan: Plan) -> None:
    limits = {
        resource.RLIMIT_AS: 8 * GIB,
        resource.RLIMIT_NPROC: 256,
        resource.RLIMIT_NOFILE: 256,
        resource.RLIMIT_FSIZE: 64 * MIB,
        resource.RLIMIT_CORE: 0,
    }
    for limit, most in limits.items():
        hard = resource.getrlimit(limit)[1]
        most_now = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(limit, (most_now, most_now))
    # Soft only, as doublevm sets one of its own; the timeout is what ends the jail in any case.
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (plan.cpu, hard))


def _status(status: int) -> int:
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else SIGNALLED - code


def _exit_with(work: object) -> NoReturn:
    """End this process with what the work returns, without going back into its caller."""
    status = FAILED
    try:
        assert callable(work)
        status = work()
    except OSError as error:
        os.write(2, f"{error}\n".encode())
    finally:
        os._exit(status)

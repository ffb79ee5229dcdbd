"""The errno that a refused system call fails with, where EPERM would mislead its caller."""

from __future__ import annotations

import errno
from typing import Final

_WITH_A_PATH: Final = """
open openat openat2 creat stat lstat newfstatat statx access faccessat faccessat2
readlink readlinkat getcwd chdir execveat statfs chmod fchmodat fchmodat2 chown lchown fchownat
utime utimes utimensat futimesat mkdir mkdirat rmdir mknod mknodat unlink unlinkat rename renameat
renameat2 link linkat symlink symlinkat truncate uselib getxattr lgetxattr listxattr llistxattr
setxattr lsetxattr removexattr lremovexattr setxattrat getxattrat listxattrat removexattrat
open_tree open_tree_attr name_to_handle_at file_getattr file_setattr
inotify_add_watch fanotify_mark
"""
"""There is no such file: ``import`` and many libraries go on after ENOENT and fail on EPERM."""

_WITH_A_FALLBACK: Final = """
clone3 vfork io_uring_setup io_uring_enter io_uring_register pidfd_open futex_waitv futex_wake
futex_wait futex_requeue map_shadow_stack
"""
"""As on an older kernel: C libraries and runtimes then take the older call."""

REFUSALS: Final = dict.fromkeys(_WITH_A_PATH.split(), errno.ENOENT) | dict.fromkeys(
    _WITH_A_FALLBACK.split(), errno.ENOSYS
)

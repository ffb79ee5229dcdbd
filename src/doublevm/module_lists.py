"""Which modules of the standard library a guest program may import under `auto`, and which not.

`HARMLESS_MODULES` compute: they open no file, process, socket or thread, touch no native memory
and read no frames. `auto` moves a program to cpython for these and for nothing else. A module
on neither list is refused as well; `REFUSED_MODULES` only adds the reason where one is known.
Refusing by name makes a clear message early. It is not what holds a guest: the seal does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from doublevm.word_lists import words

if TYPE_CHECKING:
    from collections.abc import Mapping

HARMLESS_MODULES: Final = words(
    """
    __future__ abc array ast asyncio base64 binascii bisect calendar cmath codecs collections
    collections.abc colorsys contextlib contextvars copy csv dataclasses datetime decimal
    difflib enum errno fnmatch fractions functools graphlib hashlib heapq hmac html
    html.entities html.parser io ipaddress itertools json json.decoder json.encoder keyword
    logging math numbers operator pprint queue random re reprlib secrets shlex statistics
    string struct sys textwrap time tomllib traceback types typing unicodedata urllib.parse uuid
    warnings weakref xml.etree.ElementTree zlib
    """
)
"""Modules that `auto` may move a program to cpython for."""

STRICT_MODULES: Final = words(
    """
    __future__ abc array base64 binascii bisect calendar cmath collections collections.abc
    colorsys copy csv dataclasses datetime decimal difflib enum fractions functools graphlib
    hashlib heapq hmac html itertools json math numbers operator pprint random re statistics
    string textwrap time typing unicodedata urllib.parse uuid asyncio
    """
)
"""The modules that the level STRICT lets a program import: those that work on plain values."""

MONTY_ONLY_MODULES: Final[Mapping[str, str]] = {
    "os.path": "it leads to the file system",
    "pathlib": "it opens files",
    "posixpath": "it leads to the file system",
}
"""Modules whose monty version only computes, while CPython's own opens files."""

_CODE = "it loads or builds code"
_DATABASE = "it opens database files"
_FILES = "it opens files"
_FRAMES = "it looks into the interpreter"
_MEMORY = "it reaches native memory"
_NETWORK = "it opens network connections"
_OBJECTS = "it builds arbitrary objects from bytes"
_PROCESSES = "it starts processes"
_SYSTEM = "it reads about the machine and its users"
_TERMINAL = "it needs a terminal"
_THREADS = "it starts threads"
_TOOLING = "it is a tool for developing programs"

REFUSED_MODULES: Final[Mapping[str, str]] = {
    "_ctypes": _MEMORY,
    "_io": _FILES,
    "_posixsubprocess": _PROCESSES,
    "_socket": _NETWORK,
    "_thread": _THREADS,
    "argparse": "there is no command line; give the program values with inputs=",
    "asyncore": _NETWORK,
    "atexit": "a program's end is its last statement",
    "builtins": "builtins are there without it",
    "bz2": "it opens files; zlib is available",
    "cgi": _NETWORK,
    "cProfile": _TOOLING,
    "cmd": _TERMINAL,
    "code": _CODE,
    "concurrent": "it starts threads and processes; asyncio.gather is available",
    "configparser": "it opens files; json and tomllib are available",
    "ctypes": _MEMORY,
    "curses": _TERMINAL,
    "dbm": _DATABASE,
    "dis": _FRAMES,
    "doctest": _TOOLING,
    "email": "it opens files and network connections",
    "faulthandler": _FRAMES,
    "fcntl": "it controls file descriptors",
    "fileinput": _FILES,
    "ftplib": _NETWORK,
    "gc": _FRAMES,
    "getopt": "there is no command line; give the program values with inputs=",
    "getpass": _TERMINAL,
    "glob": "it lists files",
    "grp": _SYSTEM,
    "gzip": "it opens files; zlib is available",
    "http": _NETWORK,
    "imaplib": _NETWORK,
    "imp": _CODE,
    "importlib": _CODE,
    "inspect": _FRAMES,
    "linecache": _FILES,
    "locale": "it reads and changes settings of the whole process",
    "lzma": "it opens files; zlib is available",
    "mailbox": _FILES,
    "marshal": _OBJECTS,
    "mimetypes": _FILES,
    "mmap": _MEMORY,
    "multiprocessing": _PROCESSES,
    "netrc": _FILES,
    "nntplib": _NETWORK,
    "optparse": "there is no command line; give the program values with inputs=",
    "os": "it reaches files, processes and the environment; posixpath joins and splits paths",
    "pdb": _TERMINAL,
    "pickle": _OBJECTS,
    "pip": "packages are provided by the host",
    "pkgutil": _CODE,
    "platform": _SYSTEM,
    "plistlib": "it opens files; json and tomllib are available",
    "poplib": _NETWORK,
    "posix": "it reaches files, processes and the environment",
    "profile": _TOOLING,
    "pty": _PROCESSES,
    "pwd": _SYSTEM,
    "pydoc": _TOOLING,
    "readline": _TERMINAL,
    "resource": "it changes the limits of the process",
    "runpy": _CODE,
    "sched": "it blocks the whole program; asyncio is available",
    "select": _NETWORK,
    "selectors": _NETWORK,
    "shelve": _OBJECTS,
    "shutil": "it copies and removes files",
    "signal": "it changes how the process is stopped",
    "site": _CODE,
    "smtplib": _NETWORK,
    "socket": _NETWORK,
    "socketserver": _NETWORK,
    "sqlite3": _DATABASE,
    "ssl": _NETWORK,
    "stat": _FILES,
    "subprocess": _PROCESSES,
    "sysconfig": _SYSTEM,
    "syslog": _SYSTEM,
    "tarfile": _FILES,
    "telnetlib": _NETWORK,
    "tempfile": _FILES,
    "termios": _TERMINAL,
    "threading": "it starts threads; asyncio.gather is available",
    "timeit": _TOOLING,
    "tkinter": _TERMINAL,
    "trace": _FRAMES,
    "tracemalloc": _FRAMES,
    "tty": _TERMINAL,
    "unittest": _TOOLING,
    "urllib": "it opens network connections; urllib.parse is available",
    "urllib.error": _NETWORK,
    "urllib.request": _NETWORK,
    "venv": _PROCESSES,
    "webbrowser": _PROCESSES,
    "xml": "only xml.etree.ElementTree is available",
    "xmlrpc": _NETWORK,
    "zipfile": _FILES,
    "zipimport": _CODE,
    "zoneinfo": "it reads time zone files; datetime.timezone has fixed offsets",
}
"""Modules that are refused by name, with the reason."""

REFUSED_ATTRIBUTES: Final[Mapping[str, Mapping[str, str]]] = {
    "asyncio": {
        "create_subprocess_exec": _PROCESSES,
        "create_subprocess_shell": _PROCESSES,
        "open_connection": _NETWORK,
        "open_unix_connection": _NETWORK,
        "run_coroutine_threadsafe": _THREADS,
        "start_server": _NETWORK,
        "start_unix_server": _NETWORK,
        "subprocess": _PROCESSES,
        "to_thread": _THREADS,
    },
    "codecs": {"open": _FILES},
    "fnmatch": {"os": REFUSED_MODULES["os"]},
    "hashlib": {"file_digest": _FILES},
    "io": {"FileIO": _FILES, "open": _FILES, "open_code": _FILES},
    "logging": {
        "FileHandler": _FILES,
        "config": _CODE,
        "handlers": "they open files and network connections",
        "os": REFUSED_MODULES["os"],
        "sys": _FRAMES,
    },
    "queue": {"threading": REFUSED_MODULES["threading"]},
    "random": {"_os": REFUSED_MODULES["os"]},
    "shlex": {"os": REFUSED_MODULES["os"]},
    "sys": dict.fromkeys(
        words(
            """
        _current_frames _getframe addaudithook meta_path modules path path_hooks
        path_importer_cache setprofile settrace
        """
        ),
        _FRAMES,
    ),
    "traceback": dict.fromkeys(words("StackSummary extract_stack print_stack walk_stack"), _FRAMES),
    "types": dict.fromkeys(words("CodeType FrameType FunctionType"), _CODE),
    "uuid": {"getnode": _SYSTEM, "os": REFUSED_MODULES["os"], "uuid1": _SYSTEM},
    "xml.etree.ElementTree": {"iterparse": _FILES, "parse": "it opens files; use fromstring"},
}
"""Parts of harmless modules that are not harmless, with the reason."""

REFUSED_BUILTINS: Final[Mapping[str, str]] = {
    "breakpoint": _TERMINAL,
    "help": _TERMINAL,
    "input": "nobody is there to answer; give the program values with inputs=",
}
"""Builtins that are refused by name, with the reason."""

PACKAGE_HINTS: Final[Mapping[str, str]] = {
    **dict.fromkeys(
        words(
            """
        PIL altair attr bokeh bs4 cv2 dateutil jinja2 jsonschema keras lxml matplotlib nltk numpy
        openpyxl pandas plotly polars pyarrow pydantic pytz scipy seaborn sklearn spacy sympy
        tabulate tensorflow torch transformers tqdm xlsxwriter yaml
        """
        ),
        "packages must be provided by the host, as in CPython(packages=[{name!r}])",
    ),
    **dict.fromkeys(
        words(
            """
        aiohttp anthropic boto3 google httpx openai paramiko psycopg2 pymongo redis requests
        selenium slack_sdk sqlalchemy urllib3 websockets
        """
        ),
        "it reaches the network; ask the host for a tool that does",
    ),
}
"""What to say about well-known packages that are not part of the standard library."""

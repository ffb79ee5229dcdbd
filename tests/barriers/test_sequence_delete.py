from __future__ import annotations

from tests.barriers.cases import Harmless, Table
from tests.barriers.sequences import (
    READS,
    harmless_orders,
    listed,
    only,
    pairs,
    steps,
    windows,
    words,
)

ID = "DELETE_AFTER_ACCESS"
DELETES = listed("delete remove destroy purge wipe erase")

PAIRS = [
    ("files:read", "files:delete", "files:deleted"),
    ("listFiles", "removeFiles", "removedFiles"),
    ("FIND", "PURGE", "SPURGE"),
    ("disk.scan", "disk.wipe", "disk.wiper"),
    ("notes:search", "notes:eraseOne", "notes:eraser"),
]


class TestTable(Table):
    denials = (
        *pairs(ID, PAIRS),
        *words(ID, READS, DELETES, "y:archive"),
        *windows(ID, "files:read", "files:delete"),
    )
    harmless = (
        *harmless_orders(ID, "files:read", "files:delete"),
        Harmless("target-is-no-get", steps("target", "files:delete"), only(ID)),
        Harmless("sending-is-not-deleting", steps("files:read", "mail:send"), only(ID)),
    )

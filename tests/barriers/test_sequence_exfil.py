from __future__ import annotations

from tests.barriers.cases import Denial, Harmless, Table
from tests.barriers.sequences import (
    OFF,
    READS,
    harmless_orders,
    listed,
    only,
    pairs,
    steps,
    windows,
    words,
)

ID = "EXFIL_LIST_SEND"
SENDS = listed("send export post write upload publish emit transmit forward")

PAIRS = [
    # first, denied then, passes then
    ("users:list", "mail:send", "mail:sender"),
    ("listUsers", "sendMail", "resendMail"),
    ("users_get", "HTTPPost", "HTTPPostpone"),
    ("FETCH", "EXPORT", "EXPORTER"),
    ("db.query/v2", "s3.upload", "s3.uploads"),
    ("read2", "write2", "rewrite2"),
    ("getUsers", "log.emit", "log.remit"),
    ("users:list", "users:list/send", "users:list/s"),
]

HARMLESS_FIRST = ["target", "widget:show", "budget:plan", "listener:add", "thread:new", "already"]


class TestTable(Table):
    denials = (
        *pairs(ID, PAIRS),
        *words(ID, READS, SENDS, "y:rename"),
        *windows(ID, "users:list", "mail:send"),
        Denial(
            id="with-others-between",
            on=only(ID),
            steps=steps("a:get", *(f"b:{i}" for i in range(20)), "c:send", expect=f"sequence/{ID}"),
            off=OFF,
            twin=steps("a:get", *(f"b:{i}" for i in range(20)), "c:sent"),
        ),
        Denial(
            id="the-latest-read-counts",
            on=only(ID),
            steps=steps(("a:get", 0), ("a:get", 50), ("c:send", 100), expect=f"sequence/{ID}"),
            off=OFF,
            twin=steps(("a:get", 0), ("a:get", 40), ("c:send", 100)),
        ),
        Denial(
            id="both-in-one-name-twice",
            on=only(ID),
            steps=steps("read_and_send", "read_and_send", expect=f"sequence/{ID}"),
            off=OFF,
            twin=steps("read_and_send"),
        ),
    )
    harmless = (
        *harmless_orders(ID, "users:list", "mail:send"),
        *(Harmless(name, steps(name, "mail:send"), only(ID)) for name in HARMLESS_FIRST),
        Harmless("sends-only", steps("mail:send", "mail:send", "file:write"), only(ID)),
        Harmless("reads-only", steps("a:get", "a:list", "a:find"), only(ID)),
    )

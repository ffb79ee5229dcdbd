"""The host's side of the example: five tools over a database of wildlife strikes.

The database is SQLite, built in memory from the CSV files beside this one when a tool first needs
it. Guest programs never see it, nor a file or a connection: they see these functions. Whatever
arrives as an argument was chosen by a program nobody has read, so values go into SQL as bound
parameters only, and into a file name only after they were cut down to plain letters and digits.
"""

import asyncio
import csv
import datetime as dt
import functools
import os
import re
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from doublevm import tool

DATA = Path(__file__).parent / "data"
OUTPUT = Path(os.environ.get("WILDLIFE_STRIKES_OUTPUT", "build/demo"))
MOST_ROWS = 500
LONGEST_REPORT = 100_000

SCHEMA = """
CREATE TABLE airports (id INTEGER PRIMARY KEY, name TEXT NOT NULL, state TEXT NOT NULL);
CREATE TABLE species (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE strikes (
    date TEXT NOT NULL,
    airport_id INTEGER NOT NULL REFERENCES airports (id),
    species_id INTEGER NOT NULL REFERENCES species (id),
    size TEXT NOT NULL,
    phase TEXT NOT NULL,
    time_of_day TEXT NOT NULL,
    damage TEXT NOT NULL,
    cost INTEGER NOT NULL
);
"""

# Sync tools run in worker threads, so the connection is shared between threads, one at a time.
_lock = threading.Lock()


def _rows(table: str) -> Iterator[tuple[str, ...]]:
    with (DATA / f"{table}.csv").open(encoding="utf-8", newline="") as file:
        lines = csv.reader(file)
        next(lines)  # the column names
        yield from map(tuple, lines)


@functools.cache
def _database() -> sqlite3.Connection:
    database = sqlite3.connect(":memory:", check_same_thread=False)
    database.row_factory = sqlite3.Row
    database.executescript(SCHEMA)
    database.executemany("INSERT INTO airports VALUES (?, ?, ?)", _rows("airports"))
    database.executemany("INSERT INTO species VALUES (?, ?)", _rows("species"))
    database.executemany("INSERT INTO strikes VALUES (?, ?, ?, ?, ?, ?, ?, ?)", _rows("strikes"))
    database.execute("CREATE INDEX strikes_by_airport ON strikes (airport_id, date)")
    database.commit()
    return database


def _query(sql: str, **parameters: str | int | None) -> list[dict[str, Any]]:
    with _lock:
        return [dict(row) for row in _database().execute(sql, parameters)]


@tool
def list_airports(state: str | None = None) -> list[dict[str, Any]]:
    """Airports with the number of strikes reported there, most strikes first.

    `state` is a state's full name, such as "Texas"; without it, all airports are listed.
    Keys: id, name, state, strikes.
    """
    return _query(
        """
        SELECT airports.id, airports.name, airports.state, COUNT(*) AS strikes
        FROM airports JOIN strikes ON strikes.airport_id = airports.id
        WHERE :state IS NULL OR airports.state = :state
        GROUP BY airports.id ORDER BY strikes DESC, airports.name
        """,
        state=state,
    )


@tool
def find_strikes(
    airport_id: int, *, damaged_only: bool = False, limit: int = 100, offset: int = 0
) -> list[dict[str, Any]]:
    """Strikes at one airport, oldest first, at most 500 at a time.

    Keys: date (a datetime.date), species, size ("Small", "Medium", "Large"), phase (of flight),
    time_of_day ("Day", "Night", "Dusk", "Dawn"), damage ("None", "Minor", "Medium",
    "Substantial", rarely another code), cost (dollars, 0 where none was reported).
    """
    if not 1 <= limit <= MOST_ROWS:
        message = f"limit must be from 1 to {MOST_ROWS}, not {limit}"
        raise ValueError(message)
    found = _query(
        """
        SELECT date, species.name AS species, size, phase, time_of_day, damage, cost
        FROM strikes JOIN species ON species.id = strikes.species_id
        WHERE airport_id = :airport_id AND (NOT :damaged_only OR damage != 'None' OR cost > 0)
        ORDER BY date, strikes.rowid LIMIT :limit OFFSET :offset
        """,
        airport_id=airport_id,
        damaged_only=damaged_only,
        limit=limit,
        offset=max(offset, 0),
    )
    return [strike | {"date": dt.date.fromisoformat(strike["date"])} for strike in found]


@tool
def count_strikes(
    group_by: Literal["month", "phase", "size", "species", "time_of_day", "year"],
    airport_id: int | None = None,
) -> list[dict[str, Any]]:
    """Strikes counted in groups, largest group first: at one airport, or everywhere.

    Keys: group (text; months are "01" to "12"), strikes, cost (dollars, summed).
    """
    return _query(
        """
        SELECT
            CASE :group_by
                WHEN 'month' THEN substr(date, 6, 2)
                WHEN 'phase' THEN phase
                WHEN 'size' THEN size
                WHEN 'species' THEN species.name
                WHEN 'time_of_day' THEN time_of_day
                WHEN 'year' THEN substr(date, 1, 4)
            END AS "group",
            COUNT(*) AS strikes,
            SUM(cost) AS cost
        FROM strikes JOIN species ON species.id = strikes.species_id
        WHERE :airport_id IS NULL OR airport_id = :airport_id
        GROUP BY 1 ORDER BY strikes DESC, 1
        """,
        group_by=group_by,
        airport_id=airport_id,
    )


@tool
async def airport_profile(airport_id: int) -> dict[str, Any]:
    """What strikes at one airport cost, and when they happen. Slow: gather several at once.

    Keys: airport_id, strikes, damaging (strikes that did damage), cost (dollars, summed),
    costliest (dollars, one strike), night_share (from 0 to 1; night, dusk and dawn).
    """
    await asyncio.sleep(0.1)  # as if the figures came from a service far away
    profiles = await asyncio.to_thread(
        _query,
        """
        SELECT airport_id, COUNT(*) AS strikes, SUM(damage != 'None' OR cost > 0) AS damaging,
            SUM(cost) AS cost, MAX(cost) AS costliest, AVG(time_of_day != 'Day') AS night_share
        FROM strikes WHERE airport_id = :airport_id GROUP BY airport_id
        """,
        airport_id=airport_id,
    )
    if not profiles:
        message = f"no airport has the id {airport_id}"
        raise LookupError(message)
    return profiles[0]


@tool(name="report:save")
def save_report(title: str, body: str) -> str:
    """Save a report, its body in Markdown, and return the name of the file.

    A report of the same title is replaced.
    """
    name = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:60]
    if not name:
        message = "title needs a letter or a digit"
        raise ValueError(message)
    if len(body) > LONGEST_REPORT:
        message = f"body may have {LONGEST_REPORT} characters, not {len(body)}"
        raise ValueError(message)
    OUTPUT.mkdir(parents=True, exist_ok=True)
    file = OUTPUT / f"{name}.md"
    file.write_text(f"# {title.strip()}\n\n{body.strip()}\n", encoding="utf-8")
    return file.name

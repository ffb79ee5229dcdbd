"""Which frame may come when, as tables; what is not in a table ends the pair.

``host_side`` follows what a host may receive, ``parent_side`` what a parent VM may receive from
its host, ``inner_side`` what it may receive from a cpython inner VM. Sending moves the state too.
A state that a frame leads to is where the *next* frame is judged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from doublevm.wire import frames as f
from doublevm.wire import inner_frames as i
from doublevm.wire.frames import FrameError, frame_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    import msgspec

Table = dict[str, dict[type, str]]

HOST_SIDE: Final[Table] = {
    "new": {f.Configure: "configuring"},
    "configuring": {f.Ready: "idle", f.Unconfined: "new"},
    # What a pair knows is dropped between two runs only: each run is judged by one monitor.
    "idle": {
        f.Renew: "idle",
        f.Remember: "idle",
        f.Check: "checking",
        f.Run: "reading",
        f.EndSession: "idle",
    },
    "checking": {f.Checked: "idle"},
    # Refused programs fail without ever being started.
    "reading": {
        f.Read: "starting",
        f.Scored: "deciding",
        f.Started: "running",
        f.Failed: "idle",
        f.Broken: "idle",
    },
    "starting": {
        f.Scored: "deciding",
        f.Started: "running",
        f.Failed: "idle",
        f.Broken: "idle",
    },
    # The host's turn. It says so before anything else may come.
    "deciding": {f.Decided: "decided"},
    "decided": {f.Started: "running", f.Failed: "idle", f.Broken: "idle"},
    "running": {
        f.Call: "running",
        f.Denied: "running",
        f.Output: "running",
        f.Returned: "running",
        f.Raised: "running",
        f.Refused: "running",
        f.Done: "idle",
        f.Failed: "idle",
        f.Broken: "idle",
    },
}

PARENT_SIDE: Final[Table] = {
    "new": {f.Configure: "idle"},
    # Answers still under way when a run was stopped arrive in idle or in the next run.
    "idle": {
        f.Renew: "idle",
        f.Remember: "idle",
        f.Check: "checking",
        f.Run: "running",
        f.EndSession: "idle",
        f.Returned: "idle",
        f.Raised: "idle",
        f.Refused: "idle",
    },
    # Likewise.
    "checking": {
        f.Returned: "checking",
        f.Raised: "checking",
        f.Refused: "checking",
        f.Checked: "idle",
    },
    "running": {
        f.Returned: "running",
        f.Raised: "running",
        f.Scored: "asking",
        f.Refused: "running",
        f.Done: "idle",
        f.Failed: "idle",
        f.Broken: "idle",
    },
    # Answers to a run that was stopped may still come.
    "asking": {
        f.Returned: "asking",
        f.Raised: "asking",
        f.Refused: "asking",
        f.Decided: "running",
    },
}

INNER_SIDE: Final[Table] = {
    "new": {i.Prepared: "idle"},
    "idle": {i.Start: "running"},
    "running": {
        i.Print: "running",
        i.Attempt: "calling",
        i.Wait: "waiting",
        i.Finished: "idle",
        i.Ended: "idle",
    },
    "calling": {i.Value: "running", i.Error: "running", i.Later: "running"},
    "waiting": {i.Settled: "running"},
}


class Grammar:
    """One conversation's place in its table."""

    def __init__(self, table: Mapping[str, Mapping[type, str]]) -> None:
        """Start at ``new``."""
        self._table = table
        self.state = "new"

    def step(self, frame: msgspec.Struct) -> None:
        """Move on by a frame sent or received.

        Raises:
            FrameError: the frame may not come now.
        """
        after = self._table[self.state].get(type(frame))
        if after is None:
            name = frame_name(frame)
            raise FrameError(name, f"the frame {name!r} may not come in state {self.state!r}")
        self.state = after


def host_side() -> Grammar:
    """Return the grammar of a host talking to its parent VM."""
    return Grammar(HOST_SIDE)


def parent_side() -> Grammar:
    """Return the grammar of a parent VM talking to its host."""
    return Grammar(PARENT_SIDE)


def inner_side() -> Grammar:
    """Return the grammar of a parent VM talking to a cpython inner VM."""
    return Grammar(INNER_SIDE)

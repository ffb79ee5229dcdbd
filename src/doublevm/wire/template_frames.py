"""The frames between the parent VM and the template, which cpython guests are forked from.

The template runs no guest code, ever. What it says is therefore believed, unlike what a guest says.
"""

from __future__ import annotations

from doublevm.wire.frames import Frame, Number, frame_decoder

# --- parent to template -----------------------------------------------------------------------


class Fork(Frame, frozen=True, tag="fork"):
    """Fork a guest. There may be one at a time."""

    memory: Number
    """Bytes it may take beyond what the template has."""
    cpu_seconds: Number
    """CPU it may burn before the kernel ends it; 0 sets no such limit."""


class Kill(Frame, frozen=True, tag="kill"):
    """Kill the guest, if there is one."""


# --- template to parent -----------------------------------------------------------------------


class Prepared(Frame, frozen=True, tag="template_prepared"):
    """Everything is imported: guests can be forked."""


class Failed(Frame, frozen=True, tag="template_failed"):
    """It cannot be prepared, and the process ends."""

    message: str


class Ended(Frame, frozen=True, tag="ended_guest"):
    """The guest is gone."""

    status: int
    """Exit status, or the negative number of the signal that killed it."""
    cpu_time: float
    """Seconds of CPU it used."""
    peak_memory: Number
    """Bytes it had resident at most, its interpreter included."""


decode_to_template = frame_decoder(Fork | Kill)
decode_from_template = frame_decoder(Prepared | Failed | Ended)

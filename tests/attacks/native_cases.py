"""Native probes, loaded from the TOML files in ``probes``, one per family.

A probe is code for a VM process in which nothing of Python stands in the way any more: it calls the
kernel by number. It sets ``through``: whether it has got what it was after, or the secret itself::

    [[probe]]
    id = "open_and_read"
    stopped_by = ["seccomp", "landlock", "namespaces", "limits"]  # each of them alone
    code = '''
    through = file(SECRET)
    '''

That it gets through where nothing is in force is its **control**. ``control`` gives the reason if
there is none; ``root`` says that it takes the root of the outer jail. ``answers`` names places in
which the seal lets it pass on purpose, each with the reason.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

PLACES: Final = ("guest", "parent", "template")
"""Processes that the probes are run in."""

MECHANISMS: Final = ("seccomp", "landlock", "namespaces", "limits", "uid", "descriptors")
"""What may stop a probe by itself. ``uid`` is there for root alone."""

_FOLDER: Final = Path(__file__).parent / "probes"


@dataclass(frozen=True, kw_only=True)
class Probe:
    """Something that a VM process must not be able to do."""

    family: str
    id: str
    code: str
    stopped_by: tuple[str, ...] = ()
    """Mechanisms that stop it, each without the others."""
    not_in_parent: tuple[str, ...] = ()
    """Those among them that are weaker in a parent VM."""
    reason: str = ""
    """Why they are."""
    control: str = ""
    """Why there is no control; empty if there is."""
    root: bool = False
    """Whether the control, and what is in force alone, needs the jail's root."""
    answers: Mapping[str, str] = field(default_factory=dict)
    """Where it gets through, each with the reason: ``everywhere``, or a place that may have an
    identity before it or ``enclave`` behind it."""
    only: tuple[str, ...] = PLACES
    """Places it makes sense in."""

    @property
    def name(self) -> str:
        """What a test report calls it."""
        return f"{self.family}-{self.id}"

    def answers_in(self, setting: Setting) -> bool:
        """Whether it may get through there."""
        place = setting.place
        names = {"everywhere", place, f"{setting.identity}.{place}"}
        if setting.mechanisms is None:
            names.add(f"{place}.enclave")
        return not names.isdisjoint(self.answers)

    def stops_alone(self, mechanism: str, place: str) -> bool:
        """Whether this mechanism is enough in this place."""
        if place not in self.only or any(place in each.split(".") for each in self.answers):
            return False
        if place == "parent" and mechanism in self.not_in_parent:
            return False
        return mechanism in self.stopped_by


def _load() -> tuple[Probe, ...]:
    probes = []
    for path in sorted(_FOLDER.glob("*.toml")):
        for entry in tomllib.loads(path.read_text(encoding="utf-8"))["probe"]:
            for name in ("stopped_by", "not_in_parent", "only"):
                if name in entry:
                    entry[name] = tuple(entry[name])
            probes.append(Probe(family=path.stem, **entry))
    return tuple(probes)


PROBES: Final = _load()
FAMILIES: Final = tuple(sorted({probe.family for probe in PROBES}))


@dataclass(frozen=True)
class Setting:
    """A kind of process, and what is in force in it."""

    identity: str
    """``user`` or ``root``: who the host is, in the outer jail."""
    place: str
    mechanisms: tuple[str, ...] | None
    """What is in force by the seal's own functions; None for a whole enclave, as hosts make it."""

    @property
    def name(self) -> str:
        """What reports and tests call it, and how the driver is told of it."""
        force = "enclave" if self.mechanisms is None else "+".join(self.mechanisms) or "nothing"
        return f"{self.identity}.{self.place}.{force}"


def setting_of(name: str) -> Setting:
    """Return the setting of this name."""
    identity, place, force = name.split(".")
    if force == "enclave":
        return Setting(identity, place, None)
    return Setting(identity, place, () if force == "nothing" else tuple(force.split("+")))


SEALED: Final = tuple(
    Setting(identity, place, force)
    for identity in ("user", "root")
    for place in PLACES
    for force in (None, MECHANISMS)
    if not (place == "template" and force is None)  # an enclave's template runs nothing of anybody
)
CONTROLS: Final = tuple(Setting(identity, "guest", ()) for identity in ("user", "root"))
ALONE: Final = tuple(
    Setting(identity, place, (mechanism,))
    for place in ("guest", "parent")
    for mechanism in MECHANISMS
    for identity in ("user", "root")
    if (identity == "root" if mechanism == "uid" else identity == "user" or mechanism == "seccomp")
)
"""The filter holds for one who has stayed root as well: it is what everything comes down to."""

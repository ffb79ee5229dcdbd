"""The plot: how many times the floor each contender takes, on a logarithmic scale."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import matplotlib as mpl
from matplotlib.figure import Figure

from benchmarks.contenders import label
from benchmarks.scenarios import SCENARIOS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from benchmarks.harness import Samples

PANELS: Final = {
    "cold": "Cold start\n× starting Python",
    "fresh-core": "Fresh run, one core\n× bare fork",
    "call-core": "Tool call, one core\n× two-hop pipe echo",
    "cpu-fib": "Computing (fib)\n× bare CPython",
}
COLOURS: Final = {True: "#2563a8", False: "#9aa5b1"}
"""Doublevm's and everybody else's."""
LEAST: Final = 0.01
"""Where the scale begins: what is smaller, such as a mere function call, gets the shortest bar."""


def draw(found: Mapping[str, Samples], path: Path) -> None:
    """Write the plot: the same bytes for the same figures."""
    there = [each for each in SCENARIOS if each.name in PANELS and each.name in found]
    names = list(dict.fromkeys(name for each in there for name in each.contenders))[::-1]
    settings = {"svg.hashsalt": "doublevm", "svg.fonttype": "none", "font.size": 8}
    with mpl.rc_context(settings):
        figure = Figure(figsize=(10, 3.2), layout="constrained")
        axes = figure.subplots(1, len(there), sharey=True, squeeze=False)[0]
        for ax, scenario in zip(axes, there, strict=True):
            _panel(ax, PANELS[scenario.name], names, found[scenario.name])
        figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})


def _panel(ax: Any, title: str, names: list[str], samples: Samples) -> None:
    ratios = [samples.ratio(name) for name in names]
    widths = [max(ratio, LEAST) if ratio is not None else LEAST for ratio in ratios]
    colours = [COLOURS[name.startswith("doublevm")] for name in names]
    ax.barh([label(name) for name in names], widths, color=colours, left=0, log=True)
    ax.axvline(1.0, color="black", linewidth=0.8)
    ax.set_xlim(left=LEAST)
    for place, (ratio, width) in enumerate(zip(ratios, widths, strict=True)):
        text = " –" if ratio is None else f" {ratio:.2g}×" if ratio < 100 else f" {ratio:.0f}×"  # noqa: PLR2004
        ax.text(width, place, text, va="center")
    ax.margins(x=0.3)
    ax.minorticks_off()
    ax.set_title(title)
    ax.spines[["top", "right"]].set_visible(False)

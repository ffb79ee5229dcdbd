"""Letters that look like a letter of plain ASCII.

A selection by hand, in the manner of ``confusables.txt`` of Unicode Technical Standard #39 and much
shorter: single letters, of the scripts in which whole words can be written that way. What Python
itself takes for another letter (NFKC) is not here.
"""

from __future__ import annotations

from typing import Final

_ROWS: Final = {
    # Cyrillic
    "аԁеһіјӏорԛгѕсуѵԝхь": "adehijlopqrscyvwxb",
    "АВЕԌНІЈКМОРԚЅСТУѴԜХ": "ABEGHIJKMOPQSCTYVWX",
    # Greek
    "αγικνορσυχ": "ayikvopoux",
    "ΑΒΕΖΗΙΚΜΝΟΡΤΥΧ": "ABEZHIKMNOPTYX",
    # Armenian
    "հոսօզցՏՍՕ": "hnuoqgSUO",
    # Latin beyond ASCII
    "ɑɡıȷɩ": "agiji",
}

LOOKALIKES: Final = str.maketrans(
    {
        letter: alike
        for row, likes in _ROWS.items()
        for letter, alike in zip(row, likes, strict=True)
    }
)
"""For ``str.translate``: each letter and the one it looks like."""

DECEPTIVE_GREEK: Final = frozenset("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧο")
"""Greek letters that nobody tells from Latin ones. The others stand beside Latin letters in the
names of quantities (``Δt``, ``σ_max``), where everybody sees what they are."""

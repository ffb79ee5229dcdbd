"""A headless Chromium that looks at reports, and what it must never see there."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

NAMES: Final = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
FLAGS: Final = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
    # Chromium refuses to make a sandbox of its own for root; the pages are ours.
    *(("--no-sandbox",) if os.geteuid() == 0 else ()),
)
SCREEN: Final = (1280, 860)


def chromium() -> str | None:
    """Return the machine's Chromium, if it has one. None is ever downloaded."""
    found = (shutil.which(name) for name in NAMES)
    return next((path for path in found if path), None)


@dataclass
class Seen:
    """What a page did that nobody asked it for."""

    requests: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


@contextmanager
def opened(
    browser: Browser,
    file: Path,
    *,
    scheme: Any = "light",
    size: tuple[int, int] = SCREEN,
    ready: bool = True,
) -> Iterator[tuple[Page, Seen]]:
    """Open a report without any network, in a profile of its own."""
    context = browser.new_context(
        offline=True,
        color_scheme=scheme,
        viewport={"width": size[0], "height": size[1]},
        reduced_motion="reduce",
    )
    seen = Seen()
    try:
        page = context.new_page()
        page.set_default_timeout(30_000)
        address = file.as_uri()
        page.on("request", lambda request: note(seen, address, request.url))
        page.on("console", lambda message: seen.errors.append(message.text))
        page.on("pageerror", lambda error: seen.errors.append(str(error)))
        page.goto(address)
        if ready:
            page.wait_for_selector("html[data-ready]")
        yield page, seen
    finally:
        context.close()


def note(seen: Seen, address: str, url: str) -> None:
    """Remember a request for anything but the page itself."""
    if url != address:
        seen.requests.append(url)


MARKUP_FOUND: Final = """() => {
  const ours = new Set(("html head meta title style body a header svg rect path div h1 h2 h3 p " +
    "button main section canvas span input select option aside dialog dl dt dd kbd form noscript " +
    "script pre code").split(" "));
  const found = [...document.querySelectorAll("*")].flatMap((each) => {
    const strange = ours.has(each.localName) ? [] : [each.localName];
    const handlers = each.getAttributeNames().filter((name) => name.startsWith("on"));
    return [...strange, ...handlers];
  });
  if (document.scripts.length !== 2) found.push(`${document.scripts.length} scripts`);
  if (window.pwned !== undefined) found.push("its script ran");
  if (document.title.includes("pwned") ) found.push("it changed the title");
  return found;
}"""
"""Elements and handlers that are not the page's own, and traces of scripts that are not."""

UNREADABLE: Final = """() => {
  const pen = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    pen.clearRect(0, 0, 1, 1);
    pen.fillStyle = colour;
    pen.fillRect(0, 0, 1, 1);
    return [...pen.getImageData(0, 0, 1, 1).data];
  };
  const over = (top, below) => {
    const part = top[3] / 255;
    return [0, 1, 2].map((i) => top[i] * part + below[i] * (1 - part)).concat(255);
  };
  const behind = (element) => {
    if (!element) return [255, 255, 255, 255];
    const own = rgba(getComputedStyle(element).backgroundColor);
    return own[3] === 255 ? own : over(own, behind(element.parentElement));
  };
  const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((each) => {
      const part = each / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const bad = [];
  let looked = 0;
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    const text = walker.currentNode.textContent.trim();
    const hidden = !element.checkVisibility({ visibilityProperty: true });
    if (!text || hidden || element.closest("script, style, noscript, .unseen, .skip, option")) {
      continue;
    }
    looked += 1;
    const style = getComputedStyle(element);
    const ground = behind(element);
    const pair = [light(over(rgba(style.color), ground)), light(ground)].sort((a, b) => b - a);
    const ratio = (pair[0] + 0.05) / (pair[1] + 0.05);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (ratio < (large ? 3 : 4.5)) bad.push(`${text.slice(0, 40)}: ${ratio.toFixed(2)}`);
  }
  return { looked, bad };
}"""
"""Texts whose contrast is below WCAG 2.2 AA (1.4.3): 4.5, and 3 for large ones."""

COLOURS: Final = """async (data) => {
  const image = new Image();
  image.src = `data:image/png;base64,${data}`;
  await image.decode();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [image.width, image.height];
  const pen = canvas.getContext("2d");
  pen.drawImage(image, 0, 0);
  const pixels = new Uint32Array(pen.getImageData(0, 0, image.width, image.height).data.buffer);
  const counts = new Map();
  for (const pixel of pixels) counts.set(pixel, (counts.get(pixel) ?? 0) + 1);
  return [counts.size, Math.max(...counts.values()) / pixels.length];
}"""
"""How many colours a picture has, and how much of it the most frequent one covers."""

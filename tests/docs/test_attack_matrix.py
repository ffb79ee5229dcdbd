from __future__ import annotations

from tests.attacks.matrix import PAGE, page


def test_the_page_is_what_the_corpus_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "make matrix"

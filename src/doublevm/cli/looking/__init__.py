"""``doublevm audit show``, ``stats`` and ``report``: looking at a stored trail."""

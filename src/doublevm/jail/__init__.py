"""What confines a VM process: limits, identity, lifetime, filters. Processes use it on themselves.

Locks of different making stand behind one another, and each step works without the others; an
order that works is: ``identity`` (uid, death with the parent), ``namespaces``, ``landlock``,
``rlimits``, and last ``seccomp``, as no filter here lets the other steps through. A process that
starts others enters Landlock before it does: siblings could not signal one another.
"""

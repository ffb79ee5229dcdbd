"""The barriers: each judges one aspect of an operation and returns a Deny or None."""

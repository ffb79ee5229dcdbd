"""Engines as the parent VM sees them: each drives one kind of inner VM."""

"""The host's side: your process. Nothing of this is loaded by a VM process."""

"""What confines a VM process: limits, identity, lifetime. Used by the processes on themselves."""

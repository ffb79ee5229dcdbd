"""The parent VM's process: takes programs from the host, runs them in an inner VM, judges."""

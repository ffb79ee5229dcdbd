"""Where audit records go to last: sinks, the chain that they keep, and its readers."""

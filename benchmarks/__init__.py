"""What doublevm costs, beside its floors and its peers: ``python -m benchmarks --help``."""

"""Reading a guest program before it runs: what it defines, and what it asks of an engine."""

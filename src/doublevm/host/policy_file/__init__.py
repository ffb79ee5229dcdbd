"""Policy files: a policy as TOML, read in the host, with the line of everything that is wrong."""

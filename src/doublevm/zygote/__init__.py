"""The zygote: one warm process per host, of which every pair of VMs is a fork."""

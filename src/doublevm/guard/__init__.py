"""Reads a program before it runs, in the parent VM: finds what a level does not let through.

It is not the wall. What it misses meets the VMs and the barriers; what it finds is told early, with
its place and what to write instead, before the first tool has been called.
"""

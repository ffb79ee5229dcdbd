"""What runs beside the guest in a cpython inner VM. Hostile territory once guest code has run."""

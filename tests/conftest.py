from __future__ import annotations

from hypothesis import HealthCheck, settings

# No deadline: a busy machine is no reason to fail. Core properties ask for more examples.
settings.register_profile(
    "doublevm", deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("doublevm")

"""What every level of the tests shares: Hypothesis without deadlines, since speed is measured elsewhere."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "blindmatch",
    deadline=None,
    max_examples=40,
    derandomize=False,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("blindmatch")

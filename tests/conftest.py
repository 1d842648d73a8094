"""What every level of the tests shares.

Hypothesis runs without deadlines, since speed is measured elsewhere. TLS is set up before any test file imports gRPC.
"""

from hypothesis import HealthCheck, settings

from blindmatch.node import tls

assert tls.CIPHERS_BELOW_TLS13
settings.register_profile(
    "blindmatch",
    deadline=None,
    max_examples=40,
    derandomize=False,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("blindmatch")

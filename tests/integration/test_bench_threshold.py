"""`bench threshold` with real node processes, as small as it gets."""

from blindmatch.simulations.benchmarks.threshold import measure


def test_a_small_threshold_is_measured_and_its_result_checked(forked_nodes):
    cost = measure(80, 3, 2)
    assert (cost.members, cost.at_least, cost.elements) == (3, 2, 80)
    assert cost.wall > 0
    assert cost.collector_cpu > 0
    assert cost.members_cpu > 0
    assert cost.carried > 54 * 80 * 16 * 3
    assert min(cost.collector_peak, cost.member_peak) > 10 << 20
    assert cost.missed < 2**-40
    assert cost.false < 2**-60

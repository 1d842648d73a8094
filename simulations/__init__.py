"""Simulated areas: synthetic people, real nodes, known truth."""

if __name__ != "blindmatch.simulations":
    # The folder sits at the top of the repository; under its bare name its modules would exist twice.
    raise ImportError("import this package as blindmatch.simulations, not as " + __name__)

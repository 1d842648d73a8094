"""A node: what an agency runs on its own machines."""

if __name__ != "blindmatch.node":
    # The folder sits at the top of the repository; under its bare name its modules would exist twice.
    raise ImportError("import this package as blindmatch.node, not as " + __name__)

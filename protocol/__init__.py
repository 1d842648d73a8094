"""The protocol without I/O: no sockets, files, clocks, threads; randomness and time are arguments."""

if __name__ != "blindmatch.protocol":
    # The folder sits at the top of the repository; under its bare name its modules would exist twice.
    raise ImportError("import this package as blindmatch.protocol, not as " + __name__)

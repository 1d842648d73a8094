"""The wire: protobuf definitions and the modules generated from them."""

if __name__ != "blindmatch.proto":
    # The folder sits at the top of the repository; under its bare name its modules would exist twice.
    raise ImportError("import this package as blindmatch.proto, not as " + __name__)

"""`python -m blindmatch`: the command line."""

from blindmatch.node.cli import main

main()

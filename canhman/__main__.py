"""`python -m canhman`."""

from canhman.cli import main

main()

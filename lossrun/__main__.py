"""`python -m lossrun`."""

from lossrun.cli import main

main()

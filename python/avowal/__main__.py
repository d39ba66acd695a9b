"""The command line, as ``python -m avowal``."""

from avowal.cli import main

main()

"""`python -m api.cli` is `qazyna`."""

from api.cli import main

main()

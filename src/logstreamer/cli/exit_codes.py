"""What the programs exit with."""

OK = 0
ERROR = 1
USAGE = 2
INTERRUPT = 130
BROKEN_PIPE = 141
"""As of a program that SIGPIPE ended."""

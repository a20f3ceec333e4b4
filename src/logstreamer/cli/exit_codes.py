"""What the programs exit with."""

OK = 0
ERROR = 1
USAGE = 2
FAILED = 3
"""A source failed, for `logs --exit-status`."""
DEAD = 4
"""A source is dead, for `logs --fail-on-dead`."""
TIMEOUT = 124
"""As of timeout(1)."""
INTERRUPT = 130
BROKEN_PIPE = 141
"""As of a program that SIGPIPE ended."""

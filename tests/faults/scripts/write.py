"""A program that logs to a file through one of Python's own handlers, told by its standard input.

    write.py HANDLER PATH

"write N" logs N numbered lines and answers "wrote"; SIGHUP needs no answer: WatchedFileHandler looks for itself.
"""

import logging
import logging.handlers
import sys

HANDLERS = {
    "file": lambda path: logging.FileHandler(path),
    "watched": lambda path: logging.handlers.WatchedFileHandler(path),
    "size": lambda path: logging.handlers.RotatingFileHandler(path, maxBytes=5_000, backupCount=200),
    "few": lambda path: logging.handlers.RotatingFileHandler(path, maxBytes=20_000, backupCount=2),
    "time": lambda path: logging.handlers.TimedRotatingFileHandler(path, when="S", backupCount=200),
}

kind, path = sys.argv[1:]
logger = logging.getLogger("job")
logger.setLevel(logging.INFO)
logger.addHandler(HANDLERS[kind](path))
number = 0
print("ready", flush=True)
for words in sys.stdin:
    for number in range(number, number + int(words.split()[1])):  # noqa: B020 - it goes on from here
        logger.info("%08d a line of a job's log, no other is the same", number)
    number += 1
    print("wrote", number, flush=True)

"""Lines: what the bytes of a log mean to people. Pure: bytes in, values out.

`Splitter` cuts blocks into `RawLine`s in bounded memory, `Annotator` makes a `Line` of each: its text, time, level, and
whether it goes on with the line above. `time_of` and `level_of` judge a single line.
"""

from logstreamer.lines.annotating import Annotator
from logstreamer.lines.levels import LEVELS, level_of
from logstreamer.lines.line import Line, RawLine, text_of
from logstreamer.lines.splitting import MAX_TEXT, Splitter
from logstreamer.lines.times import time_of

__all__ = ["LEVELS", "MAX_TEXT", "Annotator", "Line", "RawLine", "Splitter", "level_of", "text_of", "time_of"]

"""The receiver's disk: byte-exact copies with what is known about them, and reading them while they grow."""

from logstreamer.errors import DiskFull, FileChanged
from logstreamer.store.arrivals import Arrivals
from logstreamer.store.catalogue import Store
from logstreamer.store.data_file import Fingerprint
from logstreamer.store.follow import Reader, match, offset_of_last_lines
from logstreamer.store.record import Gap, StreamRecord
from logstreamer.store.sidecar import Run, Segment, Trouble
from logstreamer.store.stream_file import SegmentState, StreamFile
from logstreamer.store.verify import Damage, Report, verify
from logstreamer.store.view import View

__all__ = [
    "Arrivals",
    "Damage",
    "DiskFull",
    "FileChanged",
    "Fingerprint",
    "Gap",
    "Reader",
    "Report",
    "Run",
    "Segment",
    "SegmentState",
    "Store",
    "StreamFile",
    "StreamRecord",
    "Trouble",
    "View",
    "match",
    "offset_of_last_lines",
    "verify",
]

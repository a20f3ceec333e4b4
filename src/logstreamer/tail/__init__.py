"""The bytes of one growing file, across rotation and truncation; synchronous, no threads, no clock of its own."""

from logstreamer.tail.chain import HoldBudget
from logstreamer.tail.cursor import Cursor
from logstreamer.tail.follower import Follower
from logstreamer.tail.types import Fingerprint, Reason, ResumePoint, SegmentStart
from logstreamer.tail.wakeup import InotifyWakeup, PollingWakeup, Wakeup, Watch, create_wakeup

__all__ = [
    "Cursor",
    "Fingerprint",
    "Follower",
    "HoldBudget",
    "InotifyWakeup",
    "PollingWakeup",
    "Reason",
    "ResumePoint",
    "SegmentStart",
    "Wakeup",
    "Watch",
    "create_wakeup",
]

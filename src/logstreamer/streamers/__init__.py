"""The public API of the contract: logs and files, as streams between sites."""

from logstreamer.streamers.file_streamer import FileStreamer
from logstreamer.streamers.log_consumer import LogChunkConsumerFactory, dispatch_stream_done
from logstreamer.streamers.log_streamer import LogStreamer
from logstreamer.streamers.outcomes import Outcomes

__all__ = ["FileStreamer", "LogChunkConsumerFactory", "LogStreamer", "Outcomes", "dispatch_stream_done"]

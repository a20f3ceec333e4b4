"""The public API of the contract: logs and files, as streams between sites."""

from logstreamer.apis.outcomes import Outcomes
from logstreamer.streamers.file_streamer import FileStreamer
from logstreamer.streamers.log_consumer import LogChunkConsumerFactory, dispatch_stream_done
from logstreamer.streamers.log_streamer import LogStreamer

__all__ = ["FileStreamer", "LogChunkConsumerFactory", "LogStreamer", "Outcomes", "dispatch_stream_done"]

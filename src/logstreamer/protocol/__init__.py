"""The wire protocol without I/O and without a clock: frames, their codec, and both ends of a stream."""

"""Measures logstreamer beside what people use today: the same file, the same machine, the same run."""

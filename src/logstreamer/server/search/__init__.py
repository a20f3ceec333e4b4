"""Search over the stored bytes: a worker process scans them, newest first, and can be ended at any moment."""

"""The port types of the public contract: what engines, producers and consumers agree on."""

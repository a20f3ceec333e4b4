"""Engines: they move frames between sites; what to move, the sessions decide."""

"""Alerts: rules about streams, and webhooks that are told once of each event."""

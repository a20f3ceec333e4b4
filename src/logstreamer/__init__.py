"""Live log streaming for jobs that run at sites you do not control."""

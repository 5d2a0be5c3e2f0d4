"""Reads and writes video and photo files, with PyAV: `file_source`, `file_sink`, `images`."""

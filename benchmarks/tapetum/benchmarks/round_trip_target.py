"""What enhancing may add to a WebRTC round trip; measuring that needs aiohttp, this does not."""

SIZE = "640x360"
TARGET_ADDED_P95_MS = 10.0
"""On an unloaded machine with two cores."""

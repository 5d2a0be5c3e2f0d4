"""How much those who open the page may ask for."""

from __future__ import annotations

from dataclasses import dataclass

from tapetum.realtime.errors import ServeError

MB = 1_000_000


@dataclass(frozen=True, slots=True)
class Limits:
    """What is refused beyond; each number is over 0.

    Attributes:
        sessions: pages that are open at a time.
        frame_pixels: width times height of a live frame.
        upload_bytes: size of one file.
        file_pixels: width times height of a file's pictures.
        files: files that a session may hold, finished ones too.
        message_bytes: size of one message of a page.
        connections: of all pages and downloads at a time; a browser opens up to six for a page.
        silence_s: how long a connection may ask for nothing, and an upload send nothing.
    """

    sessions: int = 4
    frame_pixels: int = 1920 * 1088
    upload_bytes: int = 500 * MB
    file_pixels: int = 50 * MB
    files: int = 8
    message_bytes: int = 256 * 1024
    connections: int = 64
    silence_s: float = 15.0

    def check_frame(self, width: int, height: int) -> None:
        """Refuse a live frame that is too large.

        Raises:
            ServeError: it is.
        """
        if width * height > self.frame_pixels:
            most = f"{self.frame_pixels / MB:.1f} million pixels are the most"
            raise ServeError(f"live pictures of {width}x{height} are too large: {most}")

    def check_upload(self, size_bytes: int) -> None:
        """Refuse a file, or what has come of it so far.

        Raises:
            ServeError: it is too large.
        """
        if size_bytes > self.upload_bytes:
            raise ServeError(f"the file is too large: {self.upload_bytes / MB:g} MB are the most")

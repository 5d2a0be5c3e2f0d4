"""What viewers see of this machine's camera: as it is, and enhanced in each way that one wants.

Each is made and encoded once, however many watch it: four pages cost hardly more than one.
"""

from __future__ import annotations

from tapetum.realtime.live.track import EnhancedTrack
from tapetum.realtime.serve.enhancement import Enhancement
from tapetum.realtime.serve.server_camera import ServerCamera
from tapetum.realtime.serve.shared_video import SharedVideo


class CameraViews:
    """The videos of a camera that somebody watches.

    Attributes:
        camera: what they show.
    """

    def __init__(self, camera: ServerCamera) -> None:
        self.camera = camera
        self._videos: dict[Enhancement | None, SharedVideo] = {}

    def original(self) -> SharedVideo:
        """The camera's own picture."""
        return self._videos.get(None) or self._made(None)

    def enhanced(self, wanted: Enhancement) -> SharedVideo:
        """The picture enhanced in one way.

        Raises:
            ModelError: there is no such model.
        """
        return self._videos.get(wanted) or self._made(wanted)

    def changed(self, video: SharedVideo, before: Enhancement, wanted: Enhancement) -> SharedVideo:
        """What to show to a viewer of a video who wants it in another way from now on.

        A video that others watch too stays as it is.

        Raises:
            ModelError: there is no such model.
        """
        if video.is_shared or not isinstance(video.track, EnhancedTrack):
            return video if wanted == before else self.enhanced(wanted)
        wanted.take_over(video.track, before)
        self._forget(video)
        self._videos.setdefault(wanted, video)
        return video

    def _made(self, wanted: Enhancement | None) -> SharedVideo:
        incoming = self.camera.subscribe()
        try:
            track = incoming if wanted is None else wanted.track(incoming)
        except BaseException:
            incoming.stop()
            raise
        video = self._videos[wanted] = SharedVideo(track, (incoming,), self._forget)
        return video

    def _forget(self, video: SharedVideo) -> None:
        self._videos = {wanted: one for wanted, one in self._videos.items() if one is not video}

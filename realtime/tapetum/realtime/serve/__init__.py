"""The browser page: live video over WebRTC, and files that are dropped on it.

    browser --+-- WebSocket: wishes, status ------------- session.py
    page/*.js +-- WebRTC: camera out, enhanced back ----- stream.py
              +-- HTTP: a file up, its twin down -------- files.py

It needs the extra `live`. `serve.py` starts and stops it all, `server.py` has the addresses,
`access.py` says who may come in, `limits.py` how much they may ask for, `rtp_clock.py` how old a
picture is, `playout.py` that it is shown at once, `shared_video.py` that it is encoded once for
all who watch it, `demand.py` how many pictures a busy server asks for. One page is one session;
what a session made is removed when its WebSocket closes.
"""

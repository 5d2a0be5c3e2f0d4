"""Live video: a camera or stream in, the newest frame out, never late.

    source --> [newest wins] --> governed enhancer --> [newest wins] --> each sink

`live_run.py` is the loop, `governor.py` decides what runs, `look_pace.py` how far the brightness
moves, `address.py`, `open_address.py` and `live_source.py` open cameras and streams, `outputs.py`
opens the sinks, `capture.py` is the way in for OpenCV users.
"""

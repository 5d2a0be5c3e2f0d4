"""Live video: a camera or stream in, the newest frame out, never late.

    source --> [newest wins] --> governed enhancer --> [newest wins] --> each sink

`live_run.py` is the loop, `ladder.py` and `better_models.py` ask the models, `governor.py` decides
how far down, `look_pace.py` how far the brightness moves, `address.py`, `open_address.py` and
`live_source.py` open cameras and streams, `outputs.py` opens the sinks, `capture.py` is the way in
for OpenCV users.
"""

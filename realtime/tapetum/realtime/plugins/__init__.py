"""Tapetum inside other programs.

`worker.py` enhances the frames of a host in another process; `native/tapetum_client.h` is what a
host's plugin hands them over with, in C. `hosts.py` says which hosts there are, and puts their
plugins where they look for them.
"""

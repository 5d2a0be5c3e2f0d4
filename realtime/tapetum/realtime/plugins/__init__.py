"""Tapetum inside other programs.

`worker.py` enhances the frames of a host in another process; `native/tapetum_client.h` is what a
host's plugin hands them over with, in C. `hosts.py` says which hosts there are; each has a module
of its own, which puts its plugin where it looks for one. `native_plugin.py` compiles.
"""

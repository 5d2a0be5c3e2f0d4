"""Stands in for the worker's Python: inverts frames, quickly, slowly, never, or until it dies."""

import mmap
import os
import random
import socket
import struct
import threading
import time

REQUEST = struct.Struct("=4IQqQ3f4BB7x1024s")


def serve(connection: socket.socket) -> None:
    memory = None
    while True:
        message, descriptors, _, _ = socket.recv_fds(connection, REQUEST.size, 1)
        if not message:
            return
        for descriptor in descriptors:
            memory = mmap.mmap(descriptor, 0)
        assert memory is not None
        _, _, width, height, sequence, _, offset = REQUEST.unpack(message)[:7]
        size = width * height * 4  # it is given RGBA alone
        inverted = bytes(255 - byte for byte in memory[:size])
        mood = random.random()
        time.sleep(random.choice((0, 0, 0, 0.002, 0.03)))
        half = size // 2
        memory[offset : offset + half] = inverted[:half]
        if mood < 0.1:
            os._exit(1)  # with half of a frame written
        time.sleep(random.choice((0, 0, 0.01)))
        memory[offset + half : offset + size] = inverted[half:]
        if mood < 0.15:
            os._exit(1)
        connection.send(struct.pack("=QI500s", sequence, 0, b""))


with socket.socket(fileno=3) as control:
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, 1, 1)
        if not message:
            os._exit(0)
        for descriptor in descriptors:
            stream = socket.socket(fileno=descriptor)
            threading.Thread(target=serve, args=(stream,), daemon=True).start()

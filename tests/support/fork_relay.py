"""`python fork_relay.py PATH [FD]`: a nursery, or a worker, forked by the server at PATH.

It stands in its place for who started it, and ends as it does. Imports as little as can be.
"""

import json
import os
import socket
import struct
import sys

path, *words = sys.argv[1:]
descriptors = [int(word) for word in words]
order = {
    "module": "syncline.worker",
    "words": [],
    "environment": dict(os.environ),
    "folder": os.getcwd(),  # noqa: PTH109 - pathlib is slow to import
    "new_session": True,
}
body = json.dumps(order).encode()
with socket.socket(socket.AF_UNIX) as server:
    server.connect(path)
    socket.send_fds(server, [struct.pack(">I", len(body))], [0, 1, 2, *descriptors])
    server.sendall(body)
    for descriptor in descriptors:
        os.close(descriptor)
    news = b""
    while len(news) < 8 and (piece := server.recv(8)):
        news += piece
sys.exit(struct.unpack(">ii", news)[1] if len(news) == 8 else 1)

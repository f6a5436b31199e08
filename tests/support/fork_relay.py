"""`python fork_relay.py PATH MODULE word … [FD]`: a `python -m MODULE word … [FD]` in the
background, forked by the server at PATH, with the descriptor FD if there is one.

It stands in its place for who started it, and ends as it does. Imports as little as can be.
"""

import json
import os
import socket
import struct
import sys

path, module, *words = sys.argv[1:]
descriptors = [int(words.pop())] if words and words[-1].isdigit() else []
order = {
    "module": module,
    "words": words,
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

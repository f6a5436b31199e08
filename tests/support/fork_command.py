"""`python fork_command.py PATH MODULE word …`: `python -m MODULE word …`, forked by the server at
PATH.

It stands in its place for who started it, and ends as it does. Imports as little as can be.
"""

import json
import os
import socket
import struct
import sys

path, module, *words = sys.argv[1:]
order = {
    "module": module,
    "words": words,
    "environment": dict(os.environ),
    "folder": os.getcwd(),  # noqa: PTH109 - pathlib is slow to import
    "new_session": False,
}
body = json.dumps(order).encode()
with socket.socket(socket.AF_UNIX) as server:
    server.connect(path)
    socket.send_fds(server, [struct.pack(">I", len(body))], [0, 1, 2])
    server.sendall(body)
    news = b""
    while len(news) < 8 and (piece := server.recv(8)):
        news += piece
code = struct.unpack(">ii", news)[1] if len(news) == 8 else 1
sys.exit(code if code >= 0 else 128 - code)

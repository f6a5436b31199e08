"""A website of our own: nginx on a free port of loopback, with a sitemap of a folder's pages."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote
from xml.sax.saxutils import escape

from benchmarks.corpus import BUILD, names

__all__ = ["serve", "urls", "write_sitemap"]

_CONFIGURATION = """\
{user}worker_processes 1;
pid {home}/nginx.pid;
error_log {home}/error.log;
daemon off;
events {{ worker_connections 256; }}
http {{
    types {{ text/html html; application/xml xml; }}
    access_log off;
    client_body_temp_path {home}/body;
    proxy_temp_path {home}/proxy;
    fastcgi_temp_path {home}/fastcgi;
    uwsgi_temp_path {home}/uwsgi;
    scgi_temp_path {home}/scgi;
    charset utf-8;
    server {{
        listen 127.0.0.1:{port};
        root {site};
        etag on;
    }}
}}
"""


@contextmanager
def serve(site: Path) -> Iterator[str]:
    """A server of our own, on a free port; gives its address."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/sbin")
    if program is None:
        sys.exit("This needs nginx: apt-get install nginx-light, then run it again.")
    home = BUILD / "nginx"
    home.mkdir(parents=True, exist_ok=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    configuration = home / "nginx.conf"
    configuration.write_text(
        _CONFIGURATION.format(
            user="user root;\n" if os.geteuid() == 0 else "", home=home, site=site, port=port
        ),
        "utf-8",
    )
    with subprocess.Popen(
        [program, "-c", str(configuration), "-e", str(home / "error.log")]
    ) as server:
        try:
            _wait_for(port, server)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
    shutil.rmtree(home)


def _wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and server.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    sys.exit("nginx did not start; see build/benchmarks/nginx/error.log")


def urls(site: Path, url: str) -> set[str]:
    """The addresses of all pages."""
    return {f"{url}/{quote(name)}" for name in names(site)}


def write_sitemap(
    site: Path, url: str, *, dated: bool = True, edited: frozenset[str] = frozenset()
) -> None:
    """Write the sitemap anew; edited pages are dated today."""
    day = {False: "2026-01-01", True: datetime.now(UTC).date().isoformat()}
    lines = []
    for name in names(site):
        date = f"<lastmod>{day[name in edited]}</lastmod>" if dated else ""
        lines.append(f"<url><loc>{escape(f'{url}/{quote(name)}')}</loc>{date}</url>\n")
    (site / "sitemap.xml").write_text(
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n'
        + "".join(lines)
        + "</urlset>\n",
        "utf-8",
    )

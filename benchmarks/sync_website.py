"""The same pages over HTTP: nginx on loopback, with a sitemap."""

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

from benchmarks.corpus import BUILD, copy_corpus, edit, names
from benchmarks.measure import Syncline, Took, data_folder, median, table
from benchmarks.verify import check_counts, check_documents

__all__ = ["run"]

_STEPS = (
    "first sync",
    "nothing changed",
    "nothing changed, each page asked",
    "1 % changed, 1 % deleted",
)

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


def run(runs: int) -> None:
    """Print the medians of this many runs."""
    site = BUILD / "site"
    with _nginx(site) as url:
        steps = [_once(site, url) for _ in range(runs)]
    print(f"The same pages over nginx on loopback, embedder wordllama, median of {runs}")
    table([(name, median([step[n] for step in steps])) for n, name in enumerate(_STEPS)])
    shutil.rmtree(site)


def _once(site: Path, url: str) -> list[Took]:
    copy_corpus(site)
    _write_sitemap(site, url)
    pages = names(site)
    with data_folder() as data:
        syncline = Syncline(data)
        first = syncline.run("sync", url, "--json")
        check_documents(syncline, _urls(site, url), first.output)
        again = syncline.run("sync", url, "--json")
        check_counts(again.output, listed=len(pages), created=0, updated=0, deleted=0)
        # Without dates in the sitemap, every page is asked whether it has changed.
        _write_sitemap(site, url, dated=False)
        asked = syncline.run("sync", url, "--json")
        check_counts(asked.output, listed=len(pages), created=0, updated=0, deleted=0)
        _write_sitemap(site, url)
        edits = edit(site)
        _write_sitemap(site, url, edited=edits.edited)
        last = syncline.run("sync", url, "--json")
        check_counts(
            last.output,
            listed=len(pages) - len(edits.deleted),
            updated=len(edits.edited),
            deleted=len(edits.deleted),
        )
        check_documents(syncline, _urls(site, url), last.output, edits)
    return [first, again, asked, last]


def _urls(site: Path, url: str) -> set[str]:
    return {f"{url}/{quote(name)}" for name in names(site)}


def _write_sitemap(
    site: Path, url: str, *, dated: bool = True, edited: frozenset[str] = frozenset()
) -> None:
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


@contextmanager
def _nginx(site: Path) -> Iterator[str]:
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

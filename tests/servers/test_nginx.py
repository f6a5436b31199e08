"""A folder of pages behind a real nginx: synced, changed, and synced again."""

from __future__ import annotations

import asyncio
import gzip
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from syncline.connectors.website.spec import SPEC
from syncline.core.model import Json
from syncline.settings import Settings
from syncline.sync.documents import document_page, document_view
from syncline.sync.report import Report
from tests.support.syncs import Syncs, open_syncs
from tests.support.waiting import wait_until

PAGES = 150
CHANGED = 2
"""So many pages change, and as many go: about one in a hundred."""

pytestmark = pytest.mark.server("nginx")

_CONFIGURATION = """
{user}
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
    access_log {folder}/access.log;
    types {{ text/html html; application/xml xml; }}
    default_type application/octet-stream;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    gzip on;
    gzip_min_length 1;
    etag on;
    server {{
        listen 127.0.0.1:{port};
        root {folder}/pages;
    }}
}}
"""


class Nginx:
    """An nginx of our own that serves a folder, and what is written there."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.pages = folder / "pages"
        self.path = f"http://127.0.0.1:{port}/"
        self._port = port
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def options(self) -> dict[str, Json]:
        assert SPEC.from_source is not None
        options = SPEC.from_source(self.path)
        assert options is not None
        return options

    def start(self, program: str) -> None:
        configuration = self.folder / "nginx.conf"
        user = "user root;" if os.geteuid() == 0 else ""
        configuration.write_text(
            _CONFIGURATION.format(folder=self.folder, port=self._port, user=user)
        )
        self._process = subprocess.Popen(
            [program, "-e", str(self.folder / "error.log"), "-c", str(configuration)]
        )
        wait_until(self._answers)

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)

    def write(self, number: int, text: str) -> None:
        """Write one page."""
        path = self.pages / f"chapter{number % 7}" / f"page{number:03}.html"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            f"<!doctype html><html><head><title>Page {number}</title></head><body>"
            f"<h1>Page {number}</h1><p>{text}</p><p>The end of page {number}.</p></body></html>"
        )

    def list_pages(self) -> None:
        """Write robots.txt and the sitemap, which is compressed, from what is there."""
        lines = "".join(f"<url><loc>{self.path}{each}</loc></url>" for each in sorted(self.texts()))
        sitemap = f"<urlset>{lines}</urlset>".encode()
        (self.pages / "sitemap.xml.gz").write_bytes(gzip.compress(sitemap))
        (self.pages / "robots.txt").write_text(f"Sitemap: {self.path}sitemap.xml.gz\n")

    def texts(self) -> dict[str, str]:
        """What each page says, by its path."""
        return {
            each.relative_to(self.pages).as_posix(): each.read_text()
            for each in self.pages.rglob("*.html")
        }

    def statuses(self) -> list[int]:
        """How pages were answered since the last time."""
        log = self.folder / "access.log"
        lines = [line for line in log.read_text().splitlines() if ".html" in line]
        log.write_text("")
        return [int(line.split('" ')[1].split()[0]) for line in lines]

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self.folder / "error.log").read_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._port)) == 0


@pytest.fixture
def nginx() -> Iterator[Nginx]:
    """A running nginx without pages."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        if os.environ.get("CI"):
            pytest.fail("nginx is not installed (apt-get install nginx-light)")
        pytest.skip("nginx is not installed (apt-get install nginx-light)")
    with tempfile.TemporaryDirectory(prefix="syncline-nginx-") as folder:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        server = Nginx(Path(folder), port)
        server.pages.mkdir()
        try:
            server.start(program)
            yield server
        finally:
            server.stop()


async def _run(syncs: Syncs) -> Report:
    report = await syncs.run()
    assert report.exit_code == 0, report.as_json()
    assert report.accounted_for
    return report


async def _assert_matches(syncs: Syncs, nginx: Nginx) -> None:
    """The documents are the folder's pages, each with its page's text."""
    workspace = syncs.row.workspace_id
    async with syncs.tools.database.connection() as db:
        found = await document_page(db, workspace, limit=10_000)
        documents = {
            row.entry_id.removeprefix(nginx.path): (await document_view(db, workspace, row.id)).text
            for row in found.documents
        }
    pages = await asyncio.to_thread(nginx.texts)
    assert set(documents) == set(pages)
    for path, page in pages.items():
        said = page.partition("<p>")[2].partition("</p>")[0]
        assert said in documents[path]


async def test_a_folder_behind_nginx_is_matched_exactly(
    nginx: Nginx, server_settings: Settings, workspace_name: str
) -> None:
    """At first, when nothing has changed (nginx answers 304 to its own ETag), and when one page
    in a hundred has changed and another one is gone."""
    for number in range(PAGES):
        nginx.write(number, f"Of lantern number {number}.")
    nginx.list_pages()
    async with open_syncs(server_settings, workspace_name, nginx, "website") as syncs:
        report = await _run(syncs)
        assert report.counts["listed"] == report.counts["created"] == PAGES
        assert nginx.statuses() == [200] * PAGES
        await _assert_matches(syncs, nginx)

        report = await _run(syncs)
        assert report.counts["unchanged_by_validators"] == PAGES
        assert nginx.statuses() == [304] * PAGES

        for number in range(CHANGED):
            nginx.write(number * 50, f"Of windmills, number {number}.")
            (nginx.pages / f"chapter{(number * 50 + 1) % 7}/page{number * 50 + 1:03}.html").unlink()
        nginx.list_pages()
        report = await _run(syncs)
        assert (report.counts["updated"], report.counts["deleted"]) == (CHANGED, CHANGED)
        assert report.counts["unchanged"] == PAGES - 2 * CHANGED
        answers = nginx.statuses()
        assert (answers.count(200), answers.count(404)) == (CHANGED, CHANGED)
        await _assert_matches(syncs, nginx)

"""A secret that goes in comes out nowhere: a canary is planted, and looked for everywhere."""

from __future__ import annotations

import asyncio
import json
import signal
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path
from zipfile import ZipFile

import pytest

from syncline.store.database import Database
from syncline.testing.fake_server import answers, redirects
from syncline.testing.fake_site import FakeSite
from tests.support.commands import Commands, Finished
from tests.support.data_folders import make_data_folder, remove_data_folder, settings_for
from tests.support.receiver import Receiver

CANARY = "c4n4ry"
"""In each of them; no two are alike, so that none is known by another's being known."""
TOKEN = f"{CANARY}-of-the-url"
ANSWERED = f"{CANARY}-of-the-source"
STORED = f"{CANARY}-under-seal"
_PLANTED = {
    "SYNCLINE_EMBEDDING_KEY": f"{CANARY}-key",
    "SYNCLINE_ALERT_SECRET": f"{CANARY}-signs",
    "SYNCLINE_ALERT_EMAIL": "ops@example.com",
    # Nobody listens there: the failure is told.
    "SYNCLINE_SMTP_URL": f"smtp://me:{CANARY}-mails@127.0.0.1:9",
    "SYNCLINE_LOG_LEVEL": "debug",
    "SYNCLINE_METRICS_PORT": "0",
    "SYNCLINE_DEBUG": "1",
    "SITE_TOKEN": STORED,
}
_COMMANDS = (
    ("connections",),
    ("connections", "--json"),
    ("connections", "show", "1", "--json"),
    ("connections", "check", "1", "--json"),
    ("status",),
    ("status", "--json"),
    ("runs",),
    ("runs", "--json"),
    ("runs", "1"),
    ("runs", "1", "--json"),
    ("jobs",),
    ("jobs", "--json"),
    ("events",),
    ("events", "--json"),
    ("alerts",),
    ("alerts", "test"),
    ("health",),
    ("health", "--json"),
    ("documents", "--json"),
    ("documents", "why", "broken"),
    ("doctor",),
    ("connections", "add", f"https://me:{TOKEN}@docs.example.com/"),
    ("sync", f"https://docs.example.invalid/?access_token={TOKEN}"),
    ("plan", f"https://docs.example.invalid/sitemap.xml?access_token={TOKEN}"),
)
_TABLES = (
    "runs",
    "run_items",
    "jobs",
    "events",
    "troubles",
    "alerts",
    "alert_deliveries",
    "documents",
)


@pytest.fixture
async def commands(workspace_name: str) -> AsyncIterator[Commands]:
    """A data folder of the test's own: a service takes all there is to do."""
    folder = make_data_folder()
    yield Commands(settings_for(folder, workers=1, embedder="hashing"), workspace_name)
    await asyncio.to_thread(remove_data_folder, folder)


@pytest.fixture
async def site() -> AsyncIterator[FakeSite]:
    """Its sitemap wants a token; its pages fail, and give away secrets as they do."""
    async with FakeSite() as site:
        for page in ("good", "broken", "elsewhere", "refused", "odd"):
            site.put(f"/{page}", f"All that there is to know of what is {page}, in a sentence.")
        site.put_file(f"/sitemap.xml?token={TOKEN}", site.sitemap())
        site.misbehave(
            answers(
                500,
                f"password={ANSWERED}",
                headers={"Set-Cookie": f"session={ANSWERED}", "X-Token": ANSWERED},
            ),
            "/broken",
        )
        site.misbehave(redirects(f"http://10.0.0.1/?access_token={TOKEN}"), "/elsewhere")
        site.misbehave(answers(403, headers={"WWW-Authenticate": f"Bearer {ANSWERED}"}), "/refused")
        # Nothing but its value tells that this is a secret; the error names the type.
        site.misbehave(answers(200, "…", content_type=f"application/{STORED}"), "/odd")
        yield site


async def _service(commands: Commands, environment: dict[str, str]) -> tuple[str, Finished]:
    """The metrics and the log of `up`, which has synced once and told of it."""
    process = commands.start("up", environment=environment)
    assert process.stderr is not None
    lines = [await asyncio.to_thread(process.stderr.readline)]
    url = json.loads(lines[0])["metrics"]
    while "sent again" not in lines[-1]:
        lines.append(await asyncio.to_thread(process.stderr.readline))
        assert lines[-1], lines
    metrics = await asyncio.to_thread(lambda: urllib.request.urlopen(url, timeout=20).read())
    process.send_signal(signal.SIGTERM)
    finished = await asyncio.to_thread(commands.wait, process)
    return metrics.decode(), Finished(finished.status, "", "".join(lines) + finished.errors)


async def test_the_canary_is_heard_nowhere(
    commands: Commands, site: FakeSite, tmp_path: Path
) -> None:
    """Put into an address, the environment, a secret and a source's answers, it is in no output,
    log, metric, job, message or event. Of all these a backup has the address alone."""

    async def run(*words: str) -> Finished:
        return await asyncio.to_thread(commands.run, *words, environment=environment)

    async with Receiver() as receiver:
        receiver.fail(500)
        webhook = f"{receiver.url}?token={TOKEN}"
        environment = {**_PLANTED, "SYNCLINE_ALERT_WEBHOOK": webhook}
        source = f"{site.url}/sitemap.xml?token={TOKEN}"
        given = ("--secret", "token=env:SITE_TOKEN", "--schedule", "every 2h")
        told = {"add": await run("connections", "add", source, *given)}
        told["sync"] = await run("sync", source)
        assert "failed" in told["sync"].errors
        # Now the source itself refuses: the connection needs attention, and an alert is tried.
        site.misbehave(
            answers(401, headers={"WWW-Authenticate": f"Bearer {ANSWERED}"}),
            f"/sitemap.xml?token={TOKEN}",
        )
        name = json.loads((await run("connections", "--json")).output)["connections"][0]["name"]
        await run("connections", "resume", name)
        metrics, told["up"] = await _service(commands, environment)
        for command in (*_COMMANDS, ("db", "backup", str(tmp_path / "all.backup"))):
            told[" ".join(command)] = await run(*command)
    assert f"Bearer {STORED}" in {seen.headers.get("authorization") for seen in site.requests}
    assert receiver.messages
    assert CANARY not in repr(receiver.messages)
    for words, finished in told.items():
        assert CANARY not in finished.output + finished.errors, words
    assert "syncline_troubles" in metrics
    assert CANARY not in metrics
    async with Database(commands.settings) as database, database.connection() as db:
        for table in _TABLES:
            found = await db.execute(f"SELECT to_jsonb(t)::text FROM {table} t".encode())
            rows = [row[0] for row in await found.fetchall()]
            assert [row for row in rows if CANARY in row] == [], table
        found = await db.execute("SELECT reason, failure::text FROM manifest")
        assert [row for row in await found.fetchall() if CANARY in str(row)] == []
        found = await db.execute("SELECT kind FROM events")
        assert ("authentication_failed",) in await found.fetchall()
        with ZipFile(tmp_path / "all.backup") as backup:
            kept = b"".join(map(backup.read, backup.namelist()))
        assert kept.count(CANARY.encode()) == kept.count(TOKEN.encode()) > 0
        # It was there all along.
        found = await db.execute("SELECT source FROM connections")
        assert CANARY in str(await found.fetchall())

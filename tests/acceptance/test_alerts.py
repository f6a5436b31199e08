"""Alerts: whoever is to know gets to know, once, soon, and when it is over."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import Envelope

from syncline.core.events import EventKind
from syncline.core.model import ConnectionId, WorkspaceId
from syncline.settings import Settings
from syncline.store.connections import add_connection
from syncline.store.database import Connection, Database
from syncline.store.events import emit, settle
from syncline.store.freshness import note_missed_freshness
from syncline.store.timetable import set_freshness
from syncline.store.workspaces import make_workspace
from syncline.sync.alert_channels import Channel, LogChannel, WebhookChannel, build_channels, sign
from syncline.sync.alerts import Alerts
from tests.support.commands import Commands
from tests.support.queue import shift_clock
from tests.support.receiver import Receiver
from tests.support.thorough import of_all

HOUR = 3600.0
POSTGRES = of_all(["18"], ["16"])


@pytest.fixture
async def workspace(db: Connection, workspace_name: str) -> AsyncIterator[WorkspaceId]:
    """Whose events are the only ones, and whose connections alone can be late."""
    await _forget(db)
    await db.execute("UPDATE workspaces SET active = false")
    yield await make_workspace(db, workspace_name)
    await _forget(db)
    await db.execute("UPDATE workspaces SET active = true")


async def _forget(db: Connection) -> None:
    for table in ("events", "event_readers", "troubles", "alerts", "alert_deliveries"):
        await db.execute(f"DELETE FROM {table}".encode())


@pytest.fixture
async def connection(db: Connection, workspace: WorkspaceId) -> ConnectionId:
    row = await add_connection(
        db, workspace, kind="files", name="docs", source="/docs", options={}, options_version=1
    )
    return row.id


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver() as receiver:
        yield receiver


def _alerts(database: Database, receiver: Receiver, **more: Any) -> Alerts:
    return Alerts(database, [WebhookChannel(receiver.url, "s3cret")], every=HOUR, **more)


def _kinds(receiver: Receiver) -> list[str]:
    return [each["kind"] for each in receiver.messages]


async def test_a_trouble_and_its_end_are_posted_and_signed(
    db: Connection,
    database: Database,
    workspace: WorkspaceId,
    workspace_name: str,
    connection: ConnectionId,
    receiver: Receiver,
) -> None:
    """Each once; the body says what happened, to whom, and what to do."""
    alerts = _alerts(database, receiver)
    error = {"code": "unauthorized", "message": "the key is not valid"}
    await emit(
        db,
        workspace,
        EventKind.AUTHENTICATION_FAILED,
        connection=connection,
        payload={"error": error},
    )
    assert await alerts.run_once(db) == 1
    assert await alerts.run_once(db) == 0
    (message,) = receiver.messages
    assert (message["kind"], message["workspace"]) == ("authentication_failed", workspace_name)
    assert message["connection"] == "docs"
    assert "the key is not valid" in message["text"]
    assert f"connections resume docs --workspace {workspace_name}" in message["hint"]
    headers, body = receiver.requests[0]
    assert headers["Syncline-Delivery"] == message["id"]
    at, signature = (part.partition("=")[2] for part in headers["Syncline-Signature"].split(","))
    assert signature == sign("s3cret", at, body)
    assert signature != sign("another", at, body)
    await settle(db, workspace, connection, [EventKind.AUTHENTICATION_FAILED])
    assert await alerts.run_once(db) == 1
    assert _kinds(receiver) == ["authentication_failed", "recovered"]
    assert "docs has recovered" in receiver.messages[1]["text"]


async def test_the_same_is_not_told_too_often(
    db: Connection,
    database: Database,
    workspace: WorkspaceId,
    connection: ConnectionId,
    receiver: Receiver,
) -> None:
    """Once an hour for one connection and kind, while it lasts and where it comes and goes."""
    alerts = _alerts(database, receiver)

    async def again() -> None:
        await emit(db, workspace, EventKind.JOB_DEAD, connection=connection, payload={"job": 1})
        await alerts.run_once(db)

    await again()
    await again()
    assert _kinds(receiver) == ["job_dead"]
    await emit(db, workspace, EventKind.DELETIONS_HELD, connection=connection, payload={"held": 2})
    await alerts.run_once(db)
    assert _kinds(receiver) == ["job_dead", "deletions_held"]
    await shift_clock(db, HOUR + 60)
    await again()
    assert _kinds(receiver)[2:] == ["job_dead"]
    await settle(db, workspace, connection, [EventKind.JOB_DEAD])
    await alerts.run_once(db)
    assert _kinds(receiver)[3:] == ["recovered"]
    await again()
    await settle(db, workspace, connection, [EventKind.JOB_DEAD])
    await alerts.run_once(db)
    assert len(receiver.messages) == 4  # came and went within the hour
    await again()
    assert len(receiver.messages) == 4
    await shift_clock(db, 2 * HOUR + 120)
    await alerts.run_once(db)
    assert _kinds(receiver)[4:] == ["job_dead"]  # it lasts


async def test_a_job_that_dies_of_what_was_told_is_not_told_again(
    db: Connection,
    database: Database,
    workspace: WorkspaceId,
    connection: ConnectionId,
    receiver: Receiver,
) -> None:
    """One cause, one alert."""
    await emit(db, workspace, EventKind.RUN_FAILING, connection=connection)
    await emit(db, workspace, EventKind.JOB_DEAD, connection=connection, payload={"job": 1})
    await _alerts(database, receiver).run_once(db)
    assert _kinds(receiver) == ["run_failing"]


async def test_a_webhook_that_fails_is_tried_again(
    db: Connection,
    database: Database,
    workspace: WorkspaceId,
    connection: ConnectionId,
    receiver: Receiver,
) -> None:
    """Later each time, with the same id, by whichever service is there; its end comes after it."""
    told: list[str] = []
    receiver.fail(500, 302, 503)
    await emit(db, workspace, EventKind.RUN_FAILING, connection=connection)
    assert await _alerts(database, receiver, on_trouble=told.append).run_once(db) == 0
    await settle(db, workspace, connection, [EventKind.RUN_FAILING])
    assert "500" in told[0]
    for seconds in (6, 17, 40):
        assert await _alerts(database, receiver).run_once(db) == 0
        await shift_clock(db, seconds)
        sent = await _alerts(database, receiver).run_once(db)
    assert sent == 2
    assert _kinds(receiver) == ["run_failing"] * 4 + ["recovered"]
    assert len({each["id"] for each in receiver.messages[:4]}) == 1


async def test_one_channel_does_not_wait_for_another(
    db: Connection,
    database: Database,
    workspace: WorkspaceId,
    connection: ConnectionId,
    receiver: Receiver,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The log has it while the webhook is down."""
    receiver.fail(500)
    alerts = Alerts(database, [LogChannel(), WebhookChannel(receiver.url)], every=HOUR)
    await emit(db, workspace, EventKind.RUN_FAILING, connection=connection)
    with caplog.at_level(logging.INFO, logger="syncline.alerts"):
        assert await alerts.run_once(db) == 1
    assert "docs: three runs in a row have failed" in caplog.text


async def test_two_services_deliver_each_alert_once(
    db: Connection,
    database: Database,
    workspace: WorkspaceId,
    receiver: Receiver,
) -> None:
    """Whoever reads the event, and whoever sends the message."""
    for n in range(40):
        row = await add_connection(
            db,
            workspace,
            kind="files",
            name=f"c{n}",
            source=f"/c{n}",
            options={},
            options_version=1,
        )
        await emit(db, workspace, EventKind.RUN_FAILING, connection=row.id)

    async def service() -> int:
        async with await database.connect() as own:
            return sum([await _alerts(database, receiver).run_once(own) for _ in range(5)])

    assert sum(await asyncio.gather(*(service() for _ in range(3)))) == 40
    assert len({each["id"] for each in receiver.messages}) == len(receiver.messages) == 40


@dataclass(slots=True)
class _Dies:
    """A channel whose service is killed while it sends."""

    name: str = "webhook"
    reached: asyncio.Event = field(default_factory=asyncio.Event)

    async def send(self, message: Any) -> None:
        self.reached.set()
        await asyncio.Event().wait()


async def test_what_a_killed_service_was_sending_another_sends(
    db: Connection,
    database: Database,
    workspace: WorkspaceId,
    connection: ConnectionId,
    receiver: Receiver,
) -> None:
    """After a minute: perhaps twice, never not at all."""
    await emit(db, workspace, EventKind.RUN_FAILING, connection=connection)
    dies = _Dies()
    async with await database.connect() as own:
        doomed = asyncio.create_task(Alerts(database, [dies], every=HOUR).run_once(own))
        await dies.reached.wait()
        doomed.cancel()
        await asyncio.wait([doomed])
    assert await _alerts(database, receiver).run_once(db) == 0
    await shift_clock(db, 61)
    assert await _alerts(database, receiver).run_once(db) == 1
    assert _kinds(receiver) == ["run_failing"]


async def test_freshness_that_is_missed_is_told_once(
    db: Connection,
    database: Database,
    workspace: WorkspaceId,
    connection: ConnectionId,
    receiver: Receiver,
) -> None:
    """With its target; a new target begins anew."""

    async def look() -> list[str]:
        await note_missed_freshness(db, with_default=True, limit=3 * HOUR)
        await _alerts(database, receiver).run_once(db)
        return [each["text"] for each in receiver.messages]

    await set_freshness(db, workspace, connection, 7200)
    assert await look() == []
    await shift_clock(db, 3 * HOUR)
    for _ in range(2):
        assert await look() == ["docs is 1h behind its freshness target of 2h"]
    await set_freshness(db, workspace, connection, 8 * 3600)
    assert [each["kind"] for each in receiver.messages] == ["freshness_missed"]
    await look()
    assert _kinds(receiver) == ["freshness_missed", "recovered"]


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


class _Mailbox:
    """What an SMTP server does with a mail."""

    def __init__(self) -> None:
        self.mails: list[tuple[Sequence[str], EmailMessage]] = []
        self.answer = "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Envelope) -> str:  # noqa: N802
        if self.answer.startswith("250"):
            assert isinstance(envelope.content, bytes)
            mail = message_from_bytes(envelope.content, policy=policy.default)
            assert isinstance(mail, EmailMessage)
            self.mails.append((envelope.rcpt_tos, mail))
        return self.answer


async def test_alerts_are_mailed(
    db: Connection,
    database: Database,
    workspace: WorkspaceId,
    connection: ConnectionId,
) -> None:
    """To each recipient; a server that refuses is asked again; copies have one Message-ID."""
    mailbox = _Mailbox()
    controller = Controller(mailbox, hostname="127.0.0.1", port=_free_port())
    controller.start()
    try:
        settings = Settings.from_environment(
            {
                "SYNCLINE_ALERT_EMAIL": "ops@example.com, me@example.com",
                "SYNCLINE_ALERT_SENDER": "kb@example.com",
                "SYNCLINE_SMTP_URL": f"smtp://127.0.0.1:{controller.port}",
            }
        )
        channels: list[Channel] = build_channels(settings)[1:]
        mailbox.answer = "451 later"
        await emit(
            db, workspace, EventKind.DELETIONS_HELD, connection=connection, payload={"held": 3}
        )
        assert await Alerts(database, channels, every=HOUR).run_once(db) == 0
        mailbox.answer = "250 OK"
        await shift_clock(db, 10)
        assert await Alerts(database, channels, every=HOUR).run_once(db) == 1
    finally:
        await asyncio.to_thread(controller.stop)
    ((recipients, mail),) = mailbox.mails
    assert recipients == ["ops@example.com", "me@example.com"]
    assert mail["Subject"] == "Syncline: docs: 3 deletions are held for a person to decide"
    assert mail["Message-ID"].endswith("@example.com>")
    assert "syncline deletions" in mail.get_content()


async def test_the_commands_tell_what_happened_and_test_the_way(
    db: Connection,
    server_settings: Settings,
    workspace: WorkspaceId,
    workspace_name: str,
    connection: ConnectionId,
    receiver: Receiver,
) -> None:
    """`events` and `alerts` list; `alerts test` ends with 1 where it does not get through."""
    commands = Commands(server_settings, workspace_name)

    def run(*words: str, **environment: str) -> Any:
        return asyncio.to_thread(commands.run, *words, environment=environment)

    await emit(db, workspace, EventKind.DELETIONS_HELD, connection=connection, payload={"held": 3})
    assert "3 deletions are held" in (await run("events")).output
    found = (await run("events", "--json", "--kind", "deletions_held")).json
    assert [each["details"] for each in found["events"]] == [{"held": 3}]
    assert (await run("events", "--kind", "nonsense")).status == 2
    (trouble,) = (await run("alerts", "--json")).json["troubles"]
    assert (trouble["connection"], trouble["kind"]) == ("docs", "deletions_held")
    told = await run("alerts", "test")
    assert (told.status, "SYNCLINE_ALERT_WEBHOOK" in told.output) == (0, True)
    sent = await run("alerts", "test", SYNCLINE_ALERT_WEBHOOK=receiver.url)
    assert (sent.status, sent.output) == (0, "webhook: sent\n")
    assert _kinds(receiver) == ["test"]
    receiver.fail(500)
    failed = await run("alerts", "test", SYNCLINE_ALERT_WEBHOOK=receiver.url)
    assert (failed.status, "500" in failed.output) == (1, True)
    unfinished = await run("alerts", "test", SYNCLINE_ALERT_EMAIL="a@example.com")
    assert (unfinished.status, "SYNCLINE_SMTP_URL" in unfinished.errors) == (2, True)


async def test_events_can_be_followed(
    db: Connection,
    server_settings: Settings,
    workspace: WorkspaceId,
    workspace_name: str,
    connection: ConnectionId,
) -> None:
    """A line each, of those that were and those that come."""
    commands = Commands(server_settings, workspace_name)
    await emit(db, workspace, EventKind.RUN_FAILING, connection=connection)
    process = commands.start("events", "--follow", "--json")
    assert process.stdout is not None
    try:
        first = await asyncio.to_thread(process.stdout.readline)
        assert json.loads(first)["kind"] == "run_failing"
        reading = asyncio.create_task(asyncio.to_thread(process.stdout.readline))
        while not reading.done():  # it begins to follow some time after its first line
            await settle(db, workspace, connection, [EventKind.RUN_FAILING])
            await emit(db, workspace, EventKind.RUN_FAILING, connection=connection)
            await asyncio.wait([reading], timeout=0.2)
        assert json.loads(reading.result())["kind"] in ("recovered", "run_failing")
    finally:
        process.terminate()
        await asyncio.to_thread(commands.wait, process)

"""`syncline alerts [list|test]`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import typer

from syncline.cli.lazy import ListByDefault
from syncline.cli.options import AsJson, DataDir, Workspace, environment_with
from syncline.cli.running import Interruption, run, run_alone
from syncline.cli.screen import local_time, print_json, say, shown, table
from syncline.core.model import Json
from syncline.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from syncline.client import Syncline
    from syncline.store.events import Trouble

app = typer.Typer(
    cls=ListByDefault,
    help="List what is wrong now, or send a test to where alerts go.",
    add_completion=False,
)


@app.command("list")
def list_alerts(
    as_json: AsJson = False, workspace: Workspace = "default", data_dir: DataDir = None
) -> int:
    """List the troubles that last: what alerts were sent for, and are not over."""

    async def command(client: Syncline, interruption: Interruption) -> Sequence[Trouble]:
        return await client.events.troubles()

    found = run(command, workspace=workspace, data_dir=data_dir)
    if as_json:
        print_json(
            {
                "troubles": [
                    {
                        "connection": each.connection,
                        "kind": each.kind,
                        "since": each.since.isoformat(),
                    }
                    for each in found
                ]
            }
        )
    elif not found:
        say("Nothing is wrong. `syncline events` tells what was.")
    else:
        table(
            ("connection", "trouble", "since"),
            [
                (shown(each.connection, most=40), each.kind, local_time(each.since))
                for each in found
            ],
        )
    return 0


@app.command("test")
def send_test(as_json: AsJson = False, data_dir: DataDir = None) -> int:
    """Send one message to each place where alerts go, now, and tell whether it got there."""
    settings = Settings.from_environment(environment_with(data_dir))

    async def work(interruption: Interruption) -> dict[str, str | None]:
        from syncline.sync.alert_channels import NotSent, build_channels

        now = datetime.now(UTC)
        message: dict[str, Json] = {
            "id": f"test-{now:%Y%m%d%H%M%S%f}",
            "kind": "test",
            "workspace": "default",
            "connection": None,
            "text": "This is a test of Syncline's alerts",
            "hint": "Nothing is to be done.",
            "at": now.isoformat(),
            "details": {},
        }
        results: dict[str, str | None] = {}
        for channel in build_channels(settings):
            if channel.name == "log":
                continue  # a service's
            try:
                await channel.send(message)
                results[channel.name] = None
            except NotSent as error:
                results[channel.name] = f"{error} {error.hint or ''}".strip()
        return results

    results = run_alone(work)
    if as_json:
        print_json(
            {
                "channels": [
                    {"channel": name, "sent": why is None, "error": why}
                    for name, why in results.items()
                ]
            }
        )
    elif not results:
        say("Alerts go to the log of `syncline up` or `scheduler` alone.")
        say("Set SYNCLINE_ALERT_WEBHOOK, or SYNCLINE_ALERT_EMAIL, for them to go further.")
    for name, why in () if as_json else results.items():
        say(f"{name}: {'sent' if why is None else shown(why, most=400)}")
    return 1 if any(results.values()) else 0

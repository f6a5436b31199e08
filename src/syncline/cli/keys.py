"""`syncline keys [list|rotate|new]`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from syncline.cli.lazy import ListByDefault
from syncline.cli.options import AsJson, DataDir
from syncline.cli.running import Interruption, run
from syncline.cli.screen import counted, print_json, say, table
from syncline.store.workspaces import DEFAULT_WORKSPACE

if TYPE_CHECKING:
    from syncline.client import Syncline
    from syncline.sync.secrets import KeyUse, Rotated

app = typer.Typer(
    cls=ListByDefault,
    help="List the keys that secrets are sealed with, and change them.",
    add_completion=False,
)


@app.command("list")
def list_keys(as_json: AsJson = False, data_dir: DataDir = None) -> int:
    """List the keys by their ids, and what they have sealed. A key itself is never shown."""

    async def command(client: Syncline, interruption: Interruption) -> tuple[str, list[KeyUse]]:
        return client.keys.place, await client.keys.list()

    place, found = run(command, workspace=DEFAULT_WORKSPACE, data_dir=data_dir)
    if as_json:
        keys = [
            {
                "id": key.id,
                "here": key.here,
                "seals": key.seals,
                "connections": key.connections,
            }
            for key in found
        ]
        print_json({"place": place, "keys": keys})
    elif not found:
        say("There are no secrets yet; the first one makes a key.")
    else:
        table(
            ("key", "seals new ones", "connections", "where"),
            [
                (
                    key.id,
                    "yes" if key.seals else "no",
                    str(key.connections),
                    place if key.here else "NOT HERE: these secrets cannot be opened",
                )
                for key in found
            ],
        )
    return 0


@app.command()
def rotate(
    drop_old: Annotated[
        bool,
        typer.Option(
            "--drop-old",
            help="Remove the older keys from the file; backups made before cannot be opened then.",
        ),
    ] = False,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> int:
    """Seal every secret anew, with a new key. Services that run go on; they read the file again.

    Where SYNCLINE_KEYS gives the keys: put a new one first on every machine, restart what
    runs, then call this; afterwards the old one may go.
    """

    async def command(client: Syncline, interruption: Interruption) -> tuple[str, Rotated]:
        return client.keys.place, await client.keys.rotate(drop_old=drop_old)

    place, done = run(command, workspace=DEFAULT_WORKSPACE, data_dir=data_dir)
    if as_json:
        print_json(
            {
                "key": done.key_id,
                "made": done.made,
                "connections": done.connections,
                "kept": list(done.kept),
                "dropped": list(done.dropped),
            }
        )
        return 0
    say(
        f"The secrets of {counted(done.connections, 'connection')} are sealed with "
        f"{'the new key' if done.made else 'the key'} {done.key_id}."
    )
    if done.made:
        say(f"It is in {place}: keep a copy of that file apart from the backups.")
    if done.kept:
        say(
            f"Older keys that are still there, for backups: {', '.join(done.kept)}."
            if done.made
            else f"No longer needed, but for backups: {', '.join(done.kept)}."
        )
    if done.dropped:
        say(f"Removed: {', '.join(done.dropped)}.")
    return 0


@app.command()
def new() -> int:
    """Print a new key, to be put into SYNCLINE_KEYS. Nothing is changed."""
    from syncline.security.keys import Key

    say(Key.generate().text)
    return 0

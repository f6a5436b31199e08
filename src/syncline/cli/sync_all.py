"""`syncline sync --all`: every connection, through the queue."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from syncline.cli.running import Interruption, run
from syncline.cli.screen import bold, counted, is_terminal, note, print_json, say, shown
from syncline.store.workspaces import DEFAULT_WORKSPACE

if TYPE_CHECKING:
    from syncline.client import Syncline
    from syncline.sync.sync_all import Queued, Synced

__all__ = ["sync_all_and_print"]

_WORST = (1, 3, 4)
"""Exit codes, the most telling first."""


def sync_all_and_print(
    *,
    workspace: str | None,
    full: bool,
    force: bool,
    wait: bool,
    as_json: bool,
    quiet: bool,
    data_dir: Path | None,
) -> int:
    """Every connection of the workspace, or of all where it is None. Answers the exit code."""

    async def command(client: Syncline, interruption: Interruption) -> tuple[Queued, bool]:
        queued = await client.jobs.queue(everywhere=workspace is None, full=full, force=force)
        if not as_json:
            _tell(queued, quiet=quiet)
        if queued.workers and not wait:
            return queued, False
        interruption.graceful = True
        with _waiting(len(queued.jobs), quiet=quiet or as_json) as status:

            def ended(synced: Synced) -> None:
                if status is not None:
                    status.update(f"{len(queued.ended)} of {len(queued.jobs)} synced")
                if not as_json:
                    _line(synced, quiet=quiet)

            await client.jobs.wait(queued, on_ended=ended, stop=interruption.stop)
        return queued, True

    queued, waited = run(
        command,
        workspace=workspace or DEFAULT_WORKSPACE,
        data_dir=data_dir,
        meanwhile=lambda client: client.load_tools(),
    )
    if as_json:
        print_json(_as_json(queued))
    elif not waited:
        say(f"Queued: {counted(len(queued.jobs), 'sync')}. See `syncline jobs`; --wait waits.")
    if not waited:
        return 0
    if len(queued.ended) < len(queued.jobs):
        return 130
    codes = {synced.exit_code for synced in queued.ended}
    return next((code for code in _WORST if code in codes), 0)


def _tell(queued: Queued, *, quiet: bool) -> None:
    for each in queued.skipped:
        note(f"{shown(each.workspace)}/{shown(each.name)} is left out: {each.resting}.")
    if not queued.jobs:
        say("There is nothing to sync.")
    elif not queued.workers and not quiet:
        note(f"No worker runs: {counted(len(queued.jobs), 'connection')} for this command to sync.")


def _waiting(count: int, *, quiet: bool) -> AbstractContextManager[Any]:
    if quiet or not count or not is_terminal(sys.stderr):
        return nullcontext()
    from rich.console import Console

    return Console(stderr=True).status(f"0 of {count} synced")


def _line(synced: Synced, *, quiet: bool) -> None:
    name = bold(f"{shown(synced.workspace)}/{shown(synced.connection)}")
    counts = synced.counts
    if synced.error is not None or synced.state != "done":
        message = shown((synced.error or {}).get("message", ""), most=300)
        note(f"{name}: {synced.state}{f': {message}' if message else ''}")
        return
    if quiet and not synced.exit_code:
        return
    others = "".join(f", {counts[kind]} {kind}" for kind in ("failed", "held") if counts.get(kind))
    say(
        f"{name}: +{counts.get('created', 0)} ~{counts.get('updated', 0)}"
        f" -{counts.get('deleted', 0)}, unchanged {counts.get('unchanged', 0)}{others}"
    )


def _as_json(queued: Queued) -> dict[str, Any]:
    return {
        "queued": [
            {"job": job, "workspace": each.workspace, "connection": each.name}
            for job, each in queued.jobs.items()
        ],
        "skipped": [
            {"workspace": each.workspace, "connection": each.name, "reason": each.resting}
            for each in queued.skipped
        ],
        "ended": [synced.as_json() for synced in queued.ended],
    }

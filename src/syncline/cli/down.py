"""`syncline down`: stop the bundled database."""

from __future__ import annotations

import asyncio
import time
from typing import Annotated

import typer

from syncline.cli.options import DataDir, environment_with
from syncline.cli.running import Interruption, run_alone
from syncline.cli.screen import complain, say, shown
from syncline.core.errors import UsageError
from syncline.settings import Settings
from syncline.store.embedded import EmbeddedServer
from syncline.store.embedded.holder import Holder

app = typer.Typer(add_completion=False)
_PATIENCE_SECONDS = 30.0
_POLL_SECONDS = 0.05


@app.command()
def down(
    force: Annotated[
        bool, typer.Option("--force", help="Cut off whoever still uses it; nothing is lost.")
    ] = False,
    data_dir: DataDir = None,
) -> int:
    """Stop the bundled database, unless others use it."""
    settings = Settings.from_environment(environment_with(data_dir))
    if settings.database_url is not None:
        raise UsageError(
            "DATABASE_URL names a database that is not Syncline's to stop.",
            hint="Unset it, or give --data-dir, to stop the bundled one. `syncline up` ends with "
            "Ctrl-C or SIGTERM.",
        )

    async def work(interruption: Interruption) -> int:
        server = EmbeddedServer(settings)
        running = server.info().running
        held = await _end_holder(settings, server)
        if await server.stop(force=force):
            say("Down." if running or held else "It was not running.")
            return 0
        complain(
            "Others still use it: " + ", ".join(map(_process, server.users())) + ".",
            "Wait for them or end them; --force cuts them off (nothing stored is lost).",
        )
        return 1

    return run_alone(work)


async def _end_holder(settings: Settings, server: EmbeddedServer) -> bool:
    """Ask `syncline up` to end, and wait until it has let go of the database as well."""
    pid = Holder(settings).ask_to_end()
    if pid is None:
        return False
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if Holder(settings).pid() != pid and pid not in server.users():
            break
        await asyncio.sleep(_POLL_SECONDS)
    return True


def _process(pid: int) -> str:
    import psutil  # type: ignore[import-untyped]

    try:
        words = psutil.Process(pid).cmdline()
    except psutil.Error:
        return str(pid)
    return f"{pid} ({shown(' '.join(words), most=60)})"

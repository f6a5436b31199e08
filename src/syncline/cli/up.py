"""`syncline up [--detach]`: database, scheduler and worker, until they are told to end."""

from __future__ import annotations

import asyncio
import os
import sys
from subprocess import DEVNULL
from typing import TYPE_CHECKING, Annotated

import typer

from syncline.cli.options import DataDir, environment_with
from syncline.cli.running import Interruption, run_alone
from syncline.cli.screen import note, say
from syncline.cli.service_log import open_service_log, service_log, tell, tell_ready
from syncline.core.errors import DatabaseUnavailable, UsageError
from syncline.settings import Settings
from syncline.store.database import Database
from syncline.store.embedded.holder import Holder

if TYPE_CHECKING:
    from syncline.service import Service

app = typer.Typer(add_completion=False)
_COMMAND: tuple[str, ...] = (sys.executable, "-m", "syncline")
_READY = b"ready"
_LOOK_SECONDS = 5.0
_READY_SECONDS = 60


@app.command()
def up(
    detach: Annotated[
        bool, typer.Option("--detach", help="Do so in the background, and return once it is up.")
    ] = False,
    concurrency: Annotated[
        int | None,
        typer.Option(min=1, help="How many connections at once; by default BATCH_SIZE, or 5."),
    ] = None,
    ready_fd: Annotated[int | None, typer.Option(hidden=True)] = None,
    data_dir: DataDir = None,
) -> int:
    """Keep everything in step: hold the bundled database up, plan what is due, and sync it.

    With DATABASE_URL, that database is used as it is, and this does what `syncline scheduler`
    and `syncline worker` do. Connections run as they are scheduled (`syncline connections
    schedule`). Search indexes are kept in order meanwhile. Ends with Ctrl-C, or `syncline down`:
    what runs is stopped cleanly, and goes on the next time.
    """
    settings = Settings.from_environment(environment_with(data_dir))
    if settings.database_url is not None and detach:
        raise UsageError(
            "With DATABASE_URL there is no bundled database to hold up in the background.",
            hint="Let the system keep `syncline up` running (systemd, a container); or unset "
            "DATABASE_URL, or give --data-dir.",
        )

    async def work(interruption: Interruption) -> int:
        from syncline.scheduling.default import default_schedule
        from syncline.service import Service

        interruption.graceful = True
        interruption.told = note
        default_schedule(settings)  # said before anything is started, if it is not understood
        async with Database(settings) as database:
            if detach:
                return await _start_in_background(settings, concurrency)
            service = Service(settings, database, concurrency=concurrency, **service_log())
            if settings.database_url is not None:
                return await _serve(settings, service, interruption)
            return await _hold(settings, service, interruption, ready_fd)

    return run_alone(work)


async def _serve(settings: Settings, service: Service, interruption: Interruption) -> int:
    """On a database that others look after."""
    open_service_log(settings)
    interruption.told = tell
    await service.run(
        interruption.stop, on_ready=lambda where: tell_ready("Up. Ctrl-C ends it.", where)
    )
    tell("Down.")
    return 0


async def _hold(
    settings: Settings,
    service: Service,
    interruption: Interruption,
    ready_fd: int | None,
) -> int:
    holder = Holder(settings)
    if not holder.take():
        say(f"It is up already, held by process {holder.pid()}.")
        return 0
    open_service_log(settings)
    interruption.told = tell

    def ready(where: str | None) -> None:
        tell_ready(
            f"Up, with the database in {settings.data_dir}. Ctrl-C or `syncline down` ends it.",
            where,
        )
        if ready_fd is not None:
            os.write(ready_fd, _READY)
            os.close(ready_fd)

    try:
        working = asyncio.create_task(service.run(interruption.stop, on_ready=ready))
        stopping = asyncio.create_task(interruption.stop.wait())
        while not (stopping.done() or holder.lost or working.done()):
            await asyncio.wait(
                {stopping, working}, timeout=_LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED
            )
        interruption.stop.set()
        await stopping
        if holder.lost:
            working.cancel()
            await asyncio.wait([working])
        else:
            await working
    finally:
        holder.release()
    tell("Down.")
    return 0


async def _start_in_background(settings: Settings, concurrency: int | None) -> int:
    """We use the database ourselves meanwhile: whatever is wrong with it, we have told by now."""
    holder = Holder(settings)
    pid = holder.pid()
    if pid is not None:
        say(f"It is up already, held by process {pid}.")
        return 0
    reading, writing = os.pipe()
    log = holder.open_log()
    try:
        process = await asyncio.create_subprocess_exec(
            *_COMMAND,
            *("up", "--data-dir", str(settings.data_dir)),
            *(() if concurrency is None else ("--concurrency", str(concurrency))),
            *("--ready-fd", str(writing)),
            stdin=DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=(writing,),
            start_new_session=True,
            cwd="/",
        )
    finally:
        os.close(log)
        os.close(writing)
    try:
        answer = await asyncio.wait_for(asyncio.to_thread(os.read, reading, 16), _READY_SECONDS)
    except TimeoutError:
        answer = b""
    finally:
        os.close(reading)
    if answer != _READY:
        if process.returncode is None:
            process.terminate()
        raise DatabaseUnavailable(
            "The background process did not get ready.", hint=f"See {holder.log}."
        )
    say(f"Up: process {holder.pid()}, with the database in {settings.data_dir}.")
    say(f"It tells what it does in {holder.log}; `syncline down` stops it.")
    return 0

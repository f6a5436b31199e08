"""`syncline worker`."""

from __future__ import annotations

from typing import Annotated

import typer

from syncline.cli.options import DataDir, environment_with
from syncline.cli.running import Interruption, run_alone
from syncline.cli.service_log import open_service_log, service_log, tell, tell_ready
from syncline.settings import Settings
from syncline.store.database import Database

app = typer.Typer(add_completion=False)


@app.command()
def worker(
    concurrency: Annotated[
        int | None,
        typer.Option(min=1, help="How many connections at once; by default BATCH_SIZE, or 5."),
    ] = None,
    data_dir: DataDir = None,
) -> int:
    """Run jobs, beside other workers with the same database, here or on other machines.

    Ends with Ctrl-C or SIGTERM: what runs is stopped cleanly and given back.
    """
    settings = Settings.from_environment(environment_with(data_dir))

    async def work(interruption: Interruption) -> int:
        from syncline.service import Service

        interruption.graceful = True
        interruption.told = tell
        open_service_log(settings)
        async with Database(settings) as database:
            service = Service(
                settings, database, scheduler=False, concurrency=concurrency, **service_log()
            )
            await service.run(
                interruption.stop,
                on_ready=lambda where: tell_ready("Working. Ctrl-C ends it.", where),
            )
        return 0

    return run_alone(work)

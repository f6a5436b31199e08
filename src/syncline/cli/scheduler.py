"""`syncline scheduler`."""

from __future__ import annotations

import typer

from syncline.cli.options import DataDir, environment_with
from syncline.cli.running import Interruption, run_alone
from syncline.cli.screen import note
from syncline.cli.service_log import service_log
from syncline.settings import Settings
from syncline.store.database import Database

app = typer.Typer(add_completion=False)


@app.command()
def scheduler(data_dir: DataDir = None) -> int:
    """Make jobs of the connections that are due; workers run them.

    Any number may run at once: each due slot becomes one job.
    """
    settings = Settings.from_environment(environment_with(data_dir))

    async def work(interruption: Interruption) -> int:
        from syncline.service import Service

        interruption.graceful = True
        interruption.told = note
        async with Database(settings) as database:
            service = Service(settings, database, worker=False, **service_log())
            note("Planning. Ctrl-C ends it.")
            await service.run(interruption.stop)
        return 0

    return run_alone(work)

"""`syncline scheduler`."""

from __future__ import annotations

import typer

from syncline.cli.options import DataDir, environment_with
from syncline.cli.running import Interruption, run_alone
from syncline.cli.service_log import open_service_log, service_log, tell, tell_ready
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
        interruption.told = tell
        open_service_log(settings)
        async with Database(settings) as database:
            service = Service(settings, database, worker=False, **service_log())
            await service.run(
                interruption.stop,
                on_ready=lambda where: tell_ready("Planning. Ctrl-C ends it.", where),
            )
        return 0

    return run_alone(work)

"""`syncline doctor`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer
from msgspec.structs import asdict

from syncline.cli.options import AsJson, DataDir, environment_with
from syncline.cli.running import Interruption, run_alone
from syncline.cli.screen import bold, print_json, say, shown
from syncline.settings import Settings

if TYPE_CHECKING:
    from syncline.sync.doctor import Check

app = typer.Typer(add_completion=False)


@app.command(epilog="Exit codes: 0 all is well, 1 something is not.")
def doctor(as_json: AsJson = False, data_dir: DataDir = None) -> int:
    """Check this installation: Python, data folder, disk, database, model, connectors. Starts
    the bundled database for a moment if it is not running.
    """
    environ = environment_with(data_dir)
    settings = Settings.from_environment(environ)

    async def work(interruption: Interruption) -> list[Check]:
        from syncline.sync.doctor import examine

        return await examine(settings, environ)

    checks = run_alone(work)
    well = all(check.ok for check in checks)
    if as_json:
        print_json({"ok": well, "checks": [asdict(check) for check in checks]})
        return 0 if well else 1
    room = max(len(check.name) for check in checks)
    for check in checks:
        mark = "ok    " if check.ok else bold("FAILED")
        say(f"{mark}  {check.name:<{room}}  {shown(check.detail)}")
        if not check.ok and check.hint:
            say(f"        {'':<{room}}  {shown(check.hint)}")
    say()
    failed = sum(not check.ok for check in checks)
    say("All is well." if well else f"{failed} of {len(checks)} checks failed.")
    return 0 if well else 1

"""`syncline db [info|backup|restore|move|upgrade]`."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from syncline.cli.copy_meter import CopyMeter
from syncline.cli.db_info import print_info
from syncline.cli.lazy import ListByDefault
from syncline.cli.options import AsJson, DataDir, Quiet, environment_with
from syncline.cli.running import Interruption, run_alone
from syncline.cli.screen import counted, local_time, note, print_json, say, shown, size
from syncline.core.errors import UsageError
from syncline.settings import Settings

if TYPE_CHECKING:
    from syncline.databases import Backup, DatabaseInfo, Moved, Restored, Upgraded
    from syncline.store.archive import Manifest
    from syncline.store.sizes import Holdings


class _InfoByDefault(ListByDefault):
    """`syncline db` says which it is."""

    default = "info"


app = typer.Typer(
    cls=_InfoByDefault,
    help="Look at the database; back it up, restore, move or upgrade it.",
    add_completion=False,
)
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@app.command()
def info(as_json: AsJson = False, data_dir: DataDir = None) -> int:
    """Show which database is in use, what is in it, how large it is, and who works with it.

    Starts the bundled one for a moment if it is not running.
    """
    settings = Settings.from_environment(environment_with(data_dir))

    async def work(interruption: Interruption) -> DatabaseInfo:
        from syncline.databases import read_info

        return await read_info(settings)

    found = run_alone(work)
    if as_json:
        print_json(found.as_json())
    else:
        print_info(found)
    return 0


@app.command()
def backup(
    target: Annotated[
        Path,
        typer.Argument(
            help="The file to write, or a folder, in which it is named after the time.",
            metavar="FILE|FOLDER",
        ),
    ],
    force: Annotated[
        bool, typer.Option("--force", help="Replace the file if there is one.")
    ] = False,
    keep: Annotated[
        int | None,
        typer.Option(min=1, help="Remove all of the folder's backups but the newest so many."),
    ] = None,
    with_keys: Annotated[
        bool,
        typer.Option(
            "--with-keys",
            help="Put the keys of stored secrets in: who has the file can then read them.",
        ),
    ] = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> int:
    """Write everything Syncline keeps to one file, as it is at this moment; syncs may go on.

    The file appears when it is complete, and only its owner can read it.
    """
    settings = Settings.from_environment(environment_with(data_dir))

    async def work(interruption: Interruption) -> Backup:
        from syncline.databases import backup

        with CopyMeter(quiet=quiet) as meter:
            return await backup(
                settings,
                target,
                overwrite=force,
                keep=keep,
                with_keys=with_keys,
                on_progress=meter.update,
            )

    made = run_alone(work)
    if as_json:
        print_json(made.as_json())
        return 0
    if not quiet:
        contents = made.manifest
        say(f"{shown(made.path)}: {_contents(contents)}, {size(made.bytes)}.")
        for path in made.removed:
            say(f"Removed {shown(path)}.")
        if with_keys and not contents.keys:
            say("No secret is stored, so there are no keys to put in.")
    if made.keys_left is not None:
        note(
            f"The secrets in it can be read with the keys in {made.keys_left} alone: keep that "
            "file too, elsewhere, or use --with-keys."
        )
    return 0


@app.command()
def restore(
    file: Annotated[
        Path, typer.Argument(help="A backup.", metavar="FILE", exists=True, dir_okay=False)
    ],
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace what the database holds.")
    ] = False,
    yes: Yes = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> int:
    """Bring a backup back, into a database without workspaces or with --replace.

    The whole file is checked first. Then all of it is restored, or nothing is changed.
    """
    settings = Settings.from_environment(environment_with(data_dir))
    meter = CopyMeter(quiet=quiet)

    def confirm(manifest: Manifest, there: Holdings) -> None:
        meter.clear()
        made = local_time(datetime.fromisoformat(manifest.made_at))
        question = f"Replace {_contents(there)} by {_contents(manifest)}, as of {made}?"
        _agree(question, yes=yes)

    async def work(interruption: Interruption) -> Restored:
        from syncline.databases import restore

        with meter:
            return await restore(
                settings, file, replace=replace, confirm=confirm, on_progress=meter.update
            )

    done = run_alone(work)
    if as_json:
        print_json(done.as_json())
        return 0
    if not quiet:
        contents = done.manifest
        made = local_time(datetime.fromisoformat(contents.made_at))
        say(f"Restored {_contents(contents)}, as they were at {made}.")
        if done.keys is not None:
            say(f"The keys of its secrets are in {shown(done.keys)}.")
    return 0


@app.command("move")
def move_to(
    target: Annotated[
        str,
        typer.Argument(
            help="A PostgreSQL's address (postgresql://user:password@host/database), or a folder "
            "for the bundled one.",
            metavar="URL|FOLDER",
        ),
    ],
    quiet: Quiet = False,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> int:
    """Copy everything to another database, and compare it there; the old one stays as it is.

    From the bundled database to a server of your own, or back. Nobody may use either meanwhile.
    Afterwards a setting says which one is in use: you are told which.
    """
    settings = Settings.from_environment(environment_with(data_dir))
    if "://" in target or "=" in target:  # a URL, or libpq's other way to say it
        place = {"database_url": target, "data_dir": settings.data_dir}
    else:
        place = {"database_url": None, "data_dir": Path(target).absolute()}
    into = settings.model_copy(update=place)

    async def work(interruption: Interruption) -> Moved:
        from syncline.databases import move

        with CopyMeter(quiet=quiet) as meter:
            return await move(settings, into, on_progress=meter.update)

    done = run_alone(work)
    if as_json:
        print_json(done.as_json())
        return 0
    if not quiet:
        say(f"Moved {_contents(done.holdings)} to {shown(done.address)}; all rows are the same.")
        if into.database_url:
            say("To use it, set DATABASE_URL to the address that you gave.")
        else:
            say(f"To use it, set SYNCLINE_DATA_DIR={shown(into.data_dir)} and unset DATABASE_URL.")
        say(f"The old one ({shown(done.source)}) is as it was: remove it when you are sure.")
    if done.keys is not None and not quiet:
        say(f"The keys of stored secrets are in {shown(done.keys)}: they are needed there, too.")
    return 0


@app.command("upgrade")
def upgrade_to(
    remove: Annotated[
        bool,
        typer.Option("--remove-old", help="Remove the database of before, when you are sure."),
    ] = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> int:
    """Bring the bundled database to the newest PostgreSQL that comes with Syncline.

    It takes about the time of a move, and the space of the database once more. Nobody may use it
    meanwhile. The database of before stays beside the new one until --remove-old. Syncline's own
    tables need no upgrade: whatever command comes first brings them up to date.
    """
    settings = Settings.from_environment(environment_with(data_dir))

    async def work(interruption: Interruption) -> Upgraded:
        from syncline.databases import upgrade

        with CopyMeter(quiet=quiet) as meter:
            return await upgrade(settings, on_progress=meter.update)

    done = run_alone(work)
    removed = _remove_old(settings) if remove else []
    if as_json:
        print_json({**done.as_json(), "removed": removed})
        return 0
    if quiet:
        return 0
    if done.before == done.after:
        say(f"It is PostgreSQL {done.after}, the newest that comes with Syncline.")
    else:
        say(f"Upgraded from PostgreSQL {done.before} to {done.after}; all rows are the same.")
    for path in removed:
        say(f"Removed {shown(path)}.")
    for old in [] if remove else done.old:
        say(f"The one of before is in {shown(old)}, until: syncline db upgrade --remove-old")
    return 0


def _remove_old(settings: Settings) -> list[str]:
    from syncline.databases import remove_old

    return [str(path) for path in remove_old(settings)]


def _contents(what: Manifest | Holdings) -> str:
    """What there is of it."""
    return f"{counted(what.documents, 'document')} of {counted(what.workspaces, 'workspace')}"


def _agree(question: str, *, yes: bool) -> None:
    """Ask, unless it has been said. Raises `UsageError` where nobody can answer."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError(f"Nobody can be asked here: {question}", hint="--yes answers beforehand.")
    typer.confirm(question, abort=True, err=True)

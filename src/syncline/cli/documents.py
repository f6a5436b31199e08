"""`syncline documents [list|show|why|restore]`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from syncline.cli.lazy import ListByDefault
from syncline.cli.options import AsJson, DataDir, OneConnection, Workspace
from syncline.cli.running import Interruption, run
from syncline.cli.screen import (
    bold,
    dim,
    local_time,
    note,
    print_json,
    say,
    shown,
    shown_lines,
    table,
)
from syncline.core.urls import shown_url

if TYPE_CHECKING:
    from datetime import datetime

    from syncline.client import Syncline
    from syncline.sync.documents import DocumentPage, DocumentView
    from syncline.sync.near_copies import NearCopy
    from syncline.sync.standing import Standing

app = typer.Typer(
    cls=ListByDefault,
    help="List documents, show one, tell why one is there or not, bring one back.",
    add_completion=False,
)
DocumentId = Annotated[int, typer.Argument(metavar="ID", help="The document's number.")]


@app.command("list")
def list_documents(
    connection: OneConnection = None,
    state: Annotated[str, typer.Option(help="live, held, deleted or all.")] = "live",
    tag: Annotated[str | None, typer.Option(help="Only those with this tag.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many.")] = 50,
    offset: Annotated[int, typer.Option(min=0, help="Skip so many.")] = 0,
    as_json: AsJson = False,
    workspace: Workspace = "default",
    data_dir: DataDir = None,
) -> int:
    """List documents, by connection and name."""

    async def command(client: Syncline, interruption: Interruption) -> DocumentPage:
        return await client.documents.list(
            connection=connection, state=state, tag=tag, limit=limit, offset=offset
        )

    page = run(command, workspace=workspace, data_dir=data_dir)
    if as_json:
        print_json(page.as_json())
        return 0
    if not page.documents:
        say("There are no such documents.")
        return 0
    table(
        ("id", "connection", "state", "changed", "document", "title"),
        [
            (
                str(row.id),
                shown(row.connection, most=40),
                row.state,
                local_time(row.changed_at),
                shown(row.entry_id, most=60),
                shown(row.title or "", most=60),
            )
            for row in page.documents
        ],
        right="r",
    )
    if page.more:
        so_far = offset + len(page.documents)
        note(f"{page.total - so_far} more: --offset {so_far}")
    return 0


@app.command()
def show(
    document: DocumentId,
    as_json: AsJson = False,
    workspace: Workspace = "default",
    data_dir: DataDir = None,
) -> int:
    """Show one document, live or deleted: what is known of it, and its text."""

    async def command(client: Syncline, interruption: Interruption) -> DocumentView:
        return await client.documents.show(document)

    view = run(command, workspace=workspace, data_dir=data_dir)
    if as_json:
        print_json(view.as_json())
    else:
        _print_view(view)
    return 0


def _print_view(view: DocumentView) -> None:
    row = view.document
    say(bold(shown(row.title or row.entry_id)))
    facts = {
        "document": f"{row.id}, {row.state}",
        "source": f"{row.connection} ({row.kind}): {row.entry_id}",
        "address": row.url and shown_url(row.url),
        "language": row.language,
        "authors": ", ".join(row.authors),
        "categories": ", ".join(row.categories),
        "tags": ", ".join(row.tags),
        "properties": ", ".join(f"{name}={value}" for name, value in row.properties.items()),
        "seen by": None if row.principals is None else ", ".join(row.principals) or "nobody",
        "written": _time(row.source_created),
        "updated": _time(row.source_updated),
        "first synced": f"{local_time(row.created_at)}, run {row.created_run}",
        "last changed": f"{local_time(row.changed_at)}, run {row.changed_run}",
        "deleted": row.deleted_at and f"{local_time(row.deleted_at)}: {row.deleted_reason}",
        "chunks": str(view.chunks),
        "same text": ", ".join(f"{each.id} ({each.entry_id})" for each in view.same_content),
        "nearly same": ", ".join(_near(each) for each in view.near_duplicates),
    }
    for name, fact in facts.items():
        if fact:
            say(f"  {dim(f'{name:<13}')} {shown(fact, most=500)}")
    for line in view.history:
        run_name = dim(f"{f'run {line.run_id}':<13}")
        say(f"  {run_name} {line.kind}: {shown(line.reason, most=300)}")
    say()
    say(shown_lines(view.text))


def _near(near: NearCopy) -> str:
    how = "by your word" if near.similarity is None else f"{near.similarity:.0%}"
    return f"{near.copy.id} ({near.copy.entry_id}, {how})"


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else local_time(moment)


@app.command()
def why(
    what: Annotated[
        str,
        typer.Argument(
            metavar="WHAT", help="A document's number, an entry's id, a URL, or a file's path."
        ),
    ],
    as_json: AsJson = False,
    workspace: Workspace = "default",
    data_dir: DataDir = None,
) -> int:
    """Tell where something stands: why it is found, or why it is not."""

    async def command(client: Syncline, interruption: Interruption) -> Sequence[Standing]:
        return await client.documents.why(what)

    standings = run(command, workspace=workspace, data_dir=data_dir)
    if as_json:
        print_json({"standings": [each.as_json() for each in standings]})
        return 0
    for number, standing in enumerate(standings):
        if number:
            say()
        _print_standing(standing)
    return 0


def _print_standing(standing: Standing) -> None:
    where = f" in {shown(standing.connection)}" if standing.connection else ""
    say(f"{bold(shown(standing.entry))}{where}: {standing.standing}")
    say(f"  {shown(standing.explanation)}")
    if standing.document is not None:
        say(f"  Document {standing.document}: syncline documents show {standing.document}")
    if standing.checked_at is not None:
        version = f", version {shown(standing.version, most=60)}" if standing.version else ""
        say(f"  Last read {local_time(standing.checked_at)}{version}.")
    for line in standing.decided:
        say(f"  Run {line.run_id}: {line.kind}: {shown(line.reason, most=300)}")
    if standing.advice:
        say(f"  {shown(standing.advice)}")


@app.command()
def restore(
    document: DocumentId,
    as_json: AsJson = False,
    workspace: Workspace = "default",
    data_dir: DataDir = None,
) -> int:
    """Bring a deleted document back; later syncs do not delete it again."""

    async def command(client: Syncline, interruption: Interruption) -> DocumentView:
        return await client.documents.restore(document)

    view = run(command, workspace=workspace, data_dir=data_dir)
    if as_json:
        print_json(view.as_json())
    else:
        say(f"Document {document} ({shown(view.document.entry_id)}) is back.")
    return 0

"""`syncline search "a question"`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from syncline.cli.completion import connection_names
from syncline.cli.options import AsJson, DataDir, Workspace, parse_date
from syncline.cli.running import Interruption, run
from syncline.cli.screen import bold, dim, note, print_json, safe, say, shown
from syncline.core.errors import UsageError
from syncline.core.urls import shown_url

if TYPE_CHECKING:
    from syncline.client import Syncline
    from syncline.sync.search import SearchPage
    from syncline.sync.search_hits import Hit

app = typer.Typer(add_completion=False)


@app.command()
def search(
    text: Annotated[str, typer.Argument(metavar="QUESTION", help="What you want to know.")],
    principals: Annotated[
        list[str] | None,
        typer.Option(
            "--as",
            metavar="PRINCIPAL",
            help="Search as this user or group (again for more); without it, only what "
            "everyone may see is found.",
        ),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="As the owner of this machine: everything there is.")
    ] = False,
    connections: Annotated[
        list[str] | None,
        typer.Option(
            "--connection",
            "-c",
            help="Only in these connections.",
            autocompletion=connection_names,
        ),
    ] = None,
    kinds: Annotated[
        list[str] | None, typer.Option("--kind", help="Only in sources of these kinds.")
    ] = None,
    tags: Annotated[
        list[str] | None, typer.Option("--tag", help="Only documents with one of these tags.")
    ] = None,
    updated_since: Annotated[
        str | None, typer.Option(metavar="DATE", help="Updated since: 2025-01-31, 7d, 32h.")
    ] = None,
    updated_before: Annotated[
        str | None, typer.Option(metavar="DATE", help="Updated before.")
    ] = None,
    all_copies: Annotated[
        bool,
        typer.Option("--all-copies", help="Show near-duplicates as hits of their own."),
    ] = False,
    limit: Annotated[int, typer.Option("--limit", "-n", help="How many, up to 100.")] = 10,
    offset: Annotated[int, typer.Option(help="Skip so many.")] = 0,
    as_json: AsJson = False,
    workspace: Workspace = "default",
    data_dir: DataDir = None,
) -> int:
    """Find the passages that answer a question: by its words, and by its meaning."""
    if principals and everything:
        raise UsageError("--as and --all contradict each other.", hint="Choose one.")
    since = parse_date(updated_since, "--updated-since") if updated_since else None
    before = parse_date(updated_before, "--updated-before") if updated_before else None

    async def command(client: Syncline, interruption: Interruption) -> SearchPage:
        return await client.search(
            text,
            principals=tuple(principals or ()),
            everything=everything,
            connections=tuple(connections or ()),
            kinds=tuple(kinds or ()),
            tags=tuple(tags or ()),
            updated_since=since,
            updated_before=before,
            all_copies=all_copies,
            limit=limit,
            offset=offset,
        )

    page = run(
        command,
        workspace=workspace,
        data_dir=data_dir,
        meanwhile=lambda client: client.load_embedder(),
    )
    if as_json:
        print_json(page.as_json())
        return 0
    for hit in page.hits:
        _print_hit(hit)
    if not page.hits:
        say("Nothing was found.")
    for remark in page.notes:
        note(f"Note: {shown(remark)}.")
    if not (page.hits or principals or everything):
        note("Only what everyone may see was searched; --as PRINCIPAL or --all finds more.")
    if page.more and sys.stdout.isatty():
        note(f"There is more: --offset {offset + len(page.hits)}")
    return 0


def _print_hit(hit: Hit) -> None:
    title = shown(hit.title or hit.entry_id, most=120)
    headings = [shown(each, most=80) for each in hit.headings if shown(each) != title]
    path = dim(" > " + " > ".join(headings)) if headings else ""
    say(f"{hit.rank:>2}. {bold(title)}{path}")
    place = shown(hit.entry_id, most=200)
    if hit.url and not hit.url.startswith("file:"):
        place = shown(shown_url(hit.url))
    say(f"    {shown(hit.connection)}: {place}")
    say(f"    {_highlighted(hit)}")
    say(dim(f"    {shown('; '.join(hit.why), most=200)}  (document {hit.document})"))
    for remark, others in (("same text", hit.also), ("also in", hit.similar)):
        if others:
            places = ", ".join(f"{each.connection}: {each.entry_id}" for each in others)
            say(dim(f"    {remark}: {shown(places, most=300)}"))
    say()


def _highlighted(hit: Hit) -> str:
    pieces = []
    place = 0
    for start, end in hit.highlights:
        pieces.append(safe(hit.snippet[place:start]))
        pieces.append(bold(safe(hit.snippet[start:end])))
        place = end
    pieces.append(safe(hit.snippet[place:]))
    return "".join(pieces)

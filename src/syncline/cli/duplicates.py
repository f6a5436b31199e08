"""`syncline duplicates [list|show|same|different|forget|clusters]`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from syncline.cli.lazy import ListByDefault
from syncline.cli.options import AsJson, DataDir, Workspace
from syncline.cli.running import Interruption, run
from syncline.cli.screen import bold, dim, local_time, note, print_json, say, shown

if TYPE_CHECKING:
    from syncline.client import Syncline
    from syncline.sync.duplicates import ClusterPage, DuplicatePage, DuplicatePair, PairView

app = typer.Typer(
    cls=ListByDefault,
    help="List documents that are much alike, and say whether they are the same.",
    add_completion=False,
)
One = Annotated[int, typer.Argument(metavar="ID", help="A document's number.")]
Other = Annotated[int, typer.Argument(metavar="OTHER", help="The other one's number.")]
Limit = Annotated[int, typer.Option("--limit", "-n", min=1, help="How many.")]
Offset = Annotated[int, typer.Option(min=0, help="Skip so many.")]


@app.command("list")
def list_pairs(
    state: Annotated[
        str, typer.Option(help="open (waiting for your word), same or different.")
    ] = "open",
    connection: Annotated[
        str | None,
        typer.Option("--connection", "-c", help="Only pairs with a document of this connection's."),
    ] = None,
    limit: Limit = 20,
    offset: Offset = 0,
    as_json: AsJson = False,
    workspace: Workspace = "default",
    data_dir: DataDir = None,
) -> int:
    """List the pairs that are much alike, but whose titles or numbers disagree."""

    async def command(client: Syncline, interruption: Interruption) -> DuplicatePage:
        return await client.duplicates.list(
            state=state, connection=connection, limit=limit, offset=offset
        )

    page = run(command, workspace=workspace, data_dir=data_dir)
    if as_json:
        print_json(page.as_json())
        return 0
    if not page.pairs:
        say("No pair waits for your word." if state == "open" else "There are no such pairs.")
    for pair in page.pairs:
        _print_pair(pair)
    if page.pairs and state == "open":
        say("Look at two: syncline duplicates show ID OTHER   Decide: same, or different")
    if page.more:
        so_far = offset + len(page.pairs)
        note(f"{page.total - so_far} more: --offset {so_far}")
    return 0


def _print_pair(pair: DuplicatePair) -> None:
    facts = [
        *([f"{pair.similarity:.0%} the same"] if pair.similarity is not None else []),
        *(["other titles"] if pair.titles_differ else []),
        *(["other numbers"] if pair.numbers_differ else []),
        *([f"{pair.state} since {local_time(pair.decided_at)}"] if pair.decided_at else []),
    ]
    say(bold(", ".join(facts) or pair.state))
    for each in pair.documents:
        title = f"  {dim(shown(each.title, most=80))}" if each.title else ""
        place = shown(f"{each.connection}: {each.entry_id}", most=120)
        say(f"  {each.id:>6}  {place}{title}")


@app.command()
def show(
    document: One,
    other: Other,
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=1, help="How many lines of the difference.")
    ] = 60,
    as_json: AsJson = False,
    workspace: Workspace = "default",
    data_dir: DataDir = None,
) -> int:
    """Show two documents side by side: how much they have in common, and what not."""

    async def command(client: Syncline, interruption: Interruption) -> PairView:
        return await client.duplicates.show(document, other)

    view = run(command, workspace=workspace, data_dir=data_dir)
    if as_json:
        print_json(view.as_json())
        return 0
    _print_pair(view.pair)
    for each, numbers in zip(view.pair.documents, view.numbers, strict=True):
        if numbers:
            say(f"  only in {each.id}: {shown(', '.join(numbers), most=200)}")
    say()
    for line in view.difference[:limit]:
        say(shown(line, most=300) if line[:1] in "+-@" else dim(shown(line, most=300)))
    if len(view.difference) > limit:
        note(f"{len(view.difference) - limit} more lines: --limit shows more")
    return 0


@app.command()
def same(
    document: One,
    other: Other,
    as_json: AsJson = False,
    workspace: Workspace = "default",
    data_dir: DataDir = None,
) -> int:
    """Say that two documents are the same: search shows them as one hit."""

    async def command(client: Syncline, interruption: Interruption) -> DuplicatePair:
        return await client.duplicates.same(document, other)

    return _told(run(command, workspace=workspace, data_dir=data_dir), as_json=as_json)


@app.command()
def different(
    document: One,
    other: Other,
    as_json: AsJson = False,
    workspace: Workspace = "default",
    data_dir: DataDir = None,
) -> int:
    """Say that two documents are not the same, however alike: search shows both."""

    async def command(client: Syncline, interruption: Interruption) -> DuplicatePair:
        return await client.duplicates.different(document, other)

    return _told(run(command, workspace=workspace, data_dir=data_dir), as_json=as_json)


@app.command()
def forget(
    document: One,
    other: Other,
    as_json: AsJson = False,
    workspace: Workspace = "default",
    data_dir: DataDir = None,
) -> int:
    """Take back what was said of two documents: what they have in common decides again."""

    async def command(client: Syncline, interruption: Interruption) -> DuplicatePair:
        return await client.duplicates.forget(document, other)

    pair = run(command, workspace=workspace, data_dir=data_dir)
    if as_json:
        print_json(pair.as_json())
    else:
        say(f"What was said of documents {document} and {other} is forgotten.")
    return 0


def _told(pair: DuplicatePair, *, as_json: bool) -> int:
    if as_json:
        print_json(pair.as_json())
        return 0
    one, other = (f"{each.id} ({shown(each.entry_id, most=80)})" for each in pair.documents)
    say(f"Documents {one} and {other} are {pair.state}.")
    return 0


@app.command()
def clusters(
    limit: Limit = 20,
    offset: Offset = 0,
    as_json: AsJson = False,
    workspace: Workspace = "default",
    data_dir: DataDir = None,
) -> int:
    """List the near-duplicates that search shows as one hit, the canonical document first."""

    async def command(client: Syncline, interruption: Interruption) -> ClusterPage:
        return await client.duplicates.clusters(limit=limit, offset=offset)

    page = run(command, workspace=workspace, data_dir=data_dir)
    if as_json:
        print_json(page.as_json())
        return 0
    if not page.clusters:
        say("There are no near-duplicates.")
    for number, cluster in enumerate(page.clusters, offset + 1):
        say(bold(f"{number}. {len(cluster.documents)} documents"))
        for each in cluster.documents:
            title = f"  {dim(shown(each.title, most=80))}" if each.title else ""
            place = shown(f"{each.connection}: {each.entry_id}", most=120)
            say(f"  {each.id:>6}  {place}{title}")
    if page.more:
        so_far = offset + len(page.clusters)
        note(f"{page.total - so_far} more: --offset {so_far}")
    return 0

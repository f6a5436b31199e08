"""`syncline embeddings [list|update]`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from syncline.cli.lazy import ListByDefault
from syncline.cli.options import AsJson, DataDir, Quiet, Workspace
from syncline.cli.running import Interruption, run
from syncline.cli.screen import note, print_json, say, shown, table

if TYPE_CHECKING:
    from syncline.client import Syncline
    from syncline.sync.models import ModelsView

app = typer.Typer(
    cls=ListByDefault,
    help="Show which models the passages are embedded with; change to another now.",
    add_completion=False,
)


@app.command("list")
def list_models(
    as_json: AsJson = False, workspace: Workspace = "default", data_dir: DataDir = None
) -> int:
    """List the models that passages are embedded with, and how many each has embedded."""

    async def command(client: Syncline, interruption: Interruption) -> ModelsView:
        return await client.embeddings.show()

    view = run(command, workspace=workspace, data_dir=data_dir)
    if as_json:
        print_json(view.as_json())
        return 0
    if not view.models:
        say(f"Nothing is embedded yet; {view.setting} is set.")
        return 0
    table(
        ("model", "dimensions", "passages", "state"),
        [
            (
                shown(each.name, most=60),
                str(each.dimension),
                f"{each.passages} of {view.passages}",
                _state(each.wanted, each.complete),
            )
            for each in view.models
        ],
        right="lrr",
    )
    for each in view.models:
        if each.trouble:
            say(f"  {shown(each.name)} does not get on: {shown(each.trouble, most=300)}")
    wanted = view.wanted
    if wanted is not None and wanted.name != view.setting:
        note(f"Here {view.setting} is set: the next sync begins to change to it.")
    elif view.changing is not None:
        note("`syncline up` does the rest, or at once: syncline embeddings update")
    return 0


def _state(wanted: bool, complete: bool) -> str:
    if not wanted:
        return "former"
    return "in use" if complete else "being completed"


@app.command()
def update(
    as_json: AsJson = False,
    quiet: Quiet = False,
    workspace: Workspace = "default",
    data_dir: DataDir = None,
) -> int:
    """Embed what the model that is set has not embedded, without reading any source again."""

    async def command(client: Syncline, interruption: Interruption) -> tuple[int, ModelsView]:
        from syncline.cli.progress import Counter

        with Counter("passages embedded", quiet=quiet or as_json) as counter:
            done = await client.embeddings.update(on_progress=counter.update)
        return done, await client.embeddings.show()

    done, view = run(
        command,
        workspace=workspace,
        data_dir=data_dir,
        meanwhile=lambda client: client.load_tools(),
    )
    if as_json:
        print_json({"embedded": done} | view.as_json())
    elif view.wanted is None:
        say("Nothing is synced yet, so there is nothing to embed.")
    elif view.wanted.name != view.setting:
        say(
            f"A service that started later embeds with {shown(view.wanted.name)}: nothing was done."
        )
    else:
        say(f"{done} passages were embedded with {shown(view.wanted.name)}; it has all of them.")
    return 0

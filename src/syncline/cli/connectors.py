"""`syncline connectors [list|show]`."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from syncline.cli.lazy import ListByDefault
from syncline.cli.options import AsJson
from syncline.cli.screen import bold, complain, print_json, say, shown, table

app = typer.Typer(
    cls=ListByDefault,
    help="List the kinds of sources, or show what one reads, needs and costs.",
    add_completion=False,
)


@app.command("list")
def list_connectors(as_json: AsJson = False) -> int:
    """List the kinds of sources that this installation can read."""
    from syncline.connectors.about import about
    from syncline.connectors.registry import Registry
    from syncline.core.errors import ConfigurationError

    registry = Registry.from_environment(os.environ)
    specs = []
    for kind in registry.kinds():
        try:
            specs.append(registry.get(kind))
        except ConfigurationError as error:
            complain(str(error), error.hint)
    if as_json:
        print_json({"connectors": [about(spec) for spec in specs]})
    else:
        table(
            ("kind", "title", "reads"),
            [(spec.kind, shown(spec.title), shown(spec.description)) for spec in specs],
        )
    return 0


@app.command()
def show(
    kind: Annotated[str, typer.Argument(help="The kind, as `syncline connectors` names it.")],
    as_json: AsJson = False,
) -> int:
    """Show what a kind reads, needs and costs, and how to come by credentials."""
    from syncline.connectors.about import about, sentences
    from syncline.connectors.registry import Registry

    spec = Registry.from_environment(os.environ).get(kind)
    if as_json:
        print_json(about(spec))
        return 0
    say(f"{bold(spec.title)}: {spec.description}.")
    for line in sentences(spec):
        say(f"  {line}")
    options = spec.options.model_fields.items()
    say(f"\n{bold('Options')} (--option NAME=VALUE)")
    table(
        ("name", "default", "meaning"),
        [
            (
                name,
                "required" if each.is_required() else _default(each.default),
                each.description or "",
            )
            for name, each in options
        ],
    )
    if spec.secrets.model_fields:
        say(f"\n{bold('Secrets')} (--secret NAME, --secret NAME=env:VARIABLE)")
        table(
            ("name", "meaning"),
            [(name, each.description or "") for name, each in spec.secrets.model_fields.items()],
        )
    return 0


def _default(value: object) -> str:
    if value is None or value == ():
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)

"""Writes the reference pages that follow from the code: `make reference`.

A test compares them with what this would write, so that they cannot fall behind.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

__all__ = ["main", "pages"]

HERE = Path(__file__).resolve().parent
_NOTE = "<!-- Written by generate.py from the code; `make reference` renews it. -->\n\n"
_OF_THE_SHELL = {"--install-completion", "--show-completion", "--help"}


def main() -> None:
    """Write the pages."""
    for name, text in pages().items():
        (HERE / name).write_text(text, "utf-8")
        print(f"docs/reference/{name}")


def pages() -> dict[str, str]:
    """The pages by file name, as they should be."""
    return {
        "commands.md": _NOTE + "".join(_commands()),
        "settings.md": _NOTE + "".join(_settings()),
        "connectors.md": _NOTE + "".join(_connectors()),
        "filters.md": _NOTE + "".join(_filters()),
    }


# --- the command line -----------------------------------------------------------------------------


def _commands() -> Iterator[str]:
    from typer.main import get_command

    from syncline.cli.lazy import COMMANDS
    from syncline.cli.main import app

    root: Any = get_command(app)
    yield "# Commands\n\n"
    yield "`syncline COMMAND --help` shows the same in a terminal. "
    yield "`syncline --install-completion` lets your shell complete them.\n\n"
    yield "| command | what it does |\n| --- | --- |\n"
    for name, text in COMMANDS.items():
        yield f"| [`syncline {name}`](#syncline-{name}) | {_cell(text)} |\n"
    yield "\nWhat they exit with is in [Exit codes](exit-codes.md), "
    yield "what `--json` prints in [JSON output](json.md).\n"
    for name in COMMANDS:
        yield from _command(root.commands[name], f"syncline {name}", 2)


def _command(command: Any, path: str, level: int) -> Iterator[str]:
    yield f"\n{'#' * level} {path}\n\n"
    yield f"{_paragraphs(command.help or '')}\n"
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    options = [
        each
        for each in command.params
        if each.param_type_name == "option"
        and not each.hidden
        and not _OF_THE_SHELL & set(each.opts)
    ]
    if arguments or options:
        words = [_argument_word(each) for each in arguments]
        yield f"\n`{' '.join([path, *words, *(['[OPTIONS]'] if options else [])])}`\n"
        yield "\n| argument or option | meaning |\n| --- | --- |\n"
        for each in [*arguments, *options]:
            yield f"| {_names(each)} | {_cell(_meaning(each))} |\n"
    for name, sub in getattr(command, "commands", {}).items():
        yield from _command(sub, f"{path} {name}", level + 1)


def _argument_word(argument: Any) -> str:
    word = (argument.metavar or argument.name.upper()).strip("{}[].")
    several = "..." if argument.nargs == -1 else ""
    return f"{word}{several}" if argument.required else f"[{word}]{several}"


def _names(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return f"`{_argument_word(parameter)}`".replace("|", "\\|")
    names = ", ".join(f"`{name}`" for name in [*parameter.opts, *parameter.secondary_opts])
    if parameter.is_flag:
        return names
    return f"{names} `{(parameter.metavar or _kind(parameter)).upper()}`"


def _kind(parameter: Any) -> str:
    return "number" if parameter.type_descriptor.annotation is int else "text"


def _meaning(parameter: Any) -> str:
    text = parameter.help or ""
    extra = []
    default = parameter.default
    if isinstance(default, str | int) and default not in (False, 0):
        extra.append(f"default: `{default}`")
    if getattr(parameter, "envvar", None):
        extra.append(f"environment: `{parameter.envvar}`")
    if parameter.param_type_name == "option" and parameter.multiple:
        extra.append("may be given several times")
    return f"{text.removesuffix('.')} ({'; '.join(extra)})" if extra else text


# --- settings, connectors, filters ----------------------------------------------------------------


def _settings() -> Iterator[str]:
    from syncline.settings import Settings

    yield "# Settings\n\n"
    yield "Everything that can be set from outside is an environment variable. `--data-dir` and "
    yield "`--workspace` go before what the environment says.\n\n"
    yield "| variable | what it decides | default |\n| --- | --- | --- |\n"
    for name, field in Settings.model_fields.items():
        variable, _, text = (field.description or "").partition(": ")
        default = _DEFAULTS.get(name, "unset" if field.default is None else f"`{field.default}`")
        values = getattr(field.annotation, "__args__", ())
        if values and all(isinstance(value, str) for value in values):
            text = f"{text or 'how much is logged'}: {', '.join(f'`{v}`' for v in values)}"
        yield f"| `{variable}` | {_cell(text)} | {default} |\n"
    for variable, text, default in _OTHERS:
        yield f"| `{variable}` | {_cell(text)} | {default} |\n"


_DEFAULTS = {
    "database_url": "the bundled database",
    "data_dir": "`~/.local/share/syncline` or your platform's like of it; "
    "for root `/var/lib/syncline`",
    "workers": "one a processor, at most 16",
    "health_degraded_lag": "`90m`",
    "health_unhealthy_lag": "`3h`",
    "health_window": "`6h`",
    "health_longest_run": "`1d`",
    "alert_every": "`1h`",
}
_OTHERS = (
    ("SYNCLINE_WORKSPACE", "the command line's workspace", "`default`"),
    ("SYNCLINE_CONNECTORS", "further connectors, as `kind=module:SPEC`, between commas", "none"),
    ("SYNCLINE_DEBUG", "set to anything: errors of the command line come with a trace", "unset"),
    ("NO_COLOR", "set to anything: no colours", "unset"),
)


def _connectors() -> Iterator[str]:
    from syncline.connectors.about import sentences
    from syncline.connectors.registry import Registry

    registry = Registry.from_environment({})
    yield "# Connectors\n\n"
    yield "`--option NAME=VALUE` sets an option. What you give stays with the connection. Lists "
    yield "are given by giving the option several times. `--secret NAME=PLACE` gives a secret, "
    yield "which is read from `env:VARIABLE` or `file:PATH`, or asked for.\n"
    for kind in registry.kinds():
        spec = registry.get(kind)
        yield f"\n## {kind}\n\n**{spec.title}**: {spec.description}.\n\n"
        yield "| option | meaning | default |\n| --- | --- | --- |\n"
        for name, field in spec.options.model_fields.items():
            default = "" if field.is_required() else _default(field.default)
            yield f"| `{name}` | {_cell(field.description or '')} | {default} |\n"
        if spec.secrets.model_fields:
            yield "\n| secret | meaning |\n| --- | --- |\n"
        for name, field in spec.secrets.model_fields.items():
            yield f"| `{name}` | {_cell(field.description or '')} |\n"
        yield "\n"
        for line in sentences(spec):
            yield f"- {line}\n"


def _filters() -> Iterator[str]:
    from syncline.pipeline.filter import Filter

    yield "# Filters\n\n"
    yield "What a connection's filter may hold; the options of `syncline sync` and of "
    yield "`kb.sync(..., filter={...})` have these names.\n\n"
    yield "| filter | option | what it lets in |\n| --- | --- | --- |\n"
    for name, field in Filter.model_fields.items():
        option = _FILTER_OPTIONS.get(name, f"--{name.replace('_', '-')}")
        yield f"| `{name}` | `{option}` | {_cell(field.description or '')} |\n"
    yield "\n`updated_since`, `updated_before` and `updated_within` are the reading window: they "
    yield "bound what is read, and remove nothing. The others decide what belongs: a document that "
    yield "no longer does is removed, with its reason.\n"


_FILTER_OPTIONS = {
    "categories": "--category", "tags": "--tag", "authors": "--author", "properties": "--property",
}  # fmt: skip


# --- Markdown -------------------------------------------------------------------------------------


def _default(value: Any) -> str:
    if value is None or value == ():
        return "none"
    if isinstance(value, tuple):
        return ", ".join(f"`{each}`" for each in value)
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").removesuffix(".")


def _paragraphs(text: str) -> str:
    return "\n\n".join(" ".join(part.split()) for part in text.split("\n\n") if part.strip()) + "\n"


if __name__ == "__main__":
    main()

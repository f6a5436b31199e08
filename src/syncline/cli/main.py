"""`syncline`: the console script."""

from __future__ import annotations

import gc
import os
import sys
from typing import NoReturn

import typer
from typer.exceptions import Abort, TyperException

from syncline.cli.lazy import LazyGroup
from syncline.cli.screen import Interrupted, complain, note
from syncline.core.errors import SynclineError, UsageError
from syncline.core.redaction import redact

__all__ = ["main"]

_BROKEN_PIPE = 1
_INTERRUPTED = 130

app = typer.Typer(
    name="syncline",
    cls=LazyGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"], "max_content_width": 100},
    epilog='Begin with: syncline sync ./docs, then: syncline search "a question".',
)


@app.callback()
def _syncline() -> None:
    """Keep a searchable knowledge base in step with the places where the content lives."""


_ALLOCATIONS = 100_000
"""Between two looks for garbage. Nearly all that a command makes first are modules, which stay."""


def main() -> NoReturn:
    """Run the command that was typed, and exit with its code.

    0 all good, 1 failed, 2 usage, 3 finished with failed entries, 4 finished with held
    deletions, 130 interrupted.
    """
    gc.set_threshold(_ALLOCATIONS)
    # Looking for plug-ins of Pydantic's reads every installed package's metadata.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    sys.exit(_status())


def _status() -> int:
    try:
        status = app(prog_name="syncline", standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:
        # Who read our output has gone; nobody is left to be told.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _BROKEN_PIPE
    except (KeyboardInterrupt, Interrupted):
        note("Interrupted.")
        return _INTERRUPTED
    except SynclineError as error:
        _debug()
        complain(error.message, error.hint)
        return 2 if isinstance(error, UsageError) else 1
    except TyperException as error:
        return _usage(error)
    except Abort:
        complain("Not done.")
        return 1
    except PermissionError as error:
        _debug()
        complain(f"{error.filename}: permission denied.", "Check who may read and enter it.")
        return 1
    except OSError as error:
        _debug()
        complain(f"{error.filename or 'The system'}: {error.strerror}.")
        return 1
    except Exception as error:  # noqa: BLE001 - the last resort: one line instead of a traceback
        _debug()
        first = redact((str(error).strip().splitlines() or [""])[0])
        complain(
            f"Something unexpected went wrong: {type(error).__name__}: {first}",
            "SYNCLINE_DEBUG=1 shows where. Please report it.",
        )
        return 1
    return status if isinstance(status, int) else 0


def _debug() -> None:
    if os.environ.get("SYNCLINE_DEBUG"):
        import traceback

        traceback.print_exc()


def _usage(error: TyperException) -> int:
    """What Typer found wrong with the words that were typed."""
    text = getattr(error, "format_message", lambda: str(error))()
    context = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError":
        return 0  # the help has been printed
    command = context.command_path if context is not None else "syncline"
    complain(text, f"`{command} --help` shows what there is.")
    return int(getattr(error, "exit_code", 2))

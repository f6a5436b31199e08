"""A run's report as a person reads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from syncline.cli.screen import bold, complain, note, say, shown, span
from syncline.core.model import RunState
from syncline.sync.report import Report

__all__ = ["print_plan", "print_report"]

_REST = {
    "moved": "moved",
    "filtered": "left out by filters or rules",
    "alias": "known under another address",
    "absent": "listed but not there",
    "repeated": "listed twice",
    "kept_deleted": "no longer there, but kept",
}
_SHOWN = 5
_LATER = ("rate_limited", "breaker_open")


def print_report(
    report: Report,
    *,
    failed: Sequence[tuple[str, str]],
    first: bool,
    quiet: bool,
) -> None:
    """The report of a sync. `failed` are the first failed entries with their reasons."""
    counts = report.counts
    good = report.state is RunState.DONE and report.exit_code == 0
    nothing = report.state is RunState.FAILED and not counts["listed"]
    if not (nothing or (quiet and good)):
        asked = counts.get("requests", 0)
        requests = f"{asked} request{'s' if asked > 1 else ''}, " if asked else ""
        say(
            f"{bold(shown(report.connection))}: {_changes(counts)}"
            f" ({counts['listed']} listed, {requests}{span(report.seconds)})"
        )
        _print_rest(counts)
    if counts["failed"]:
        _print_failed(report, counts, failed)
    if counts["held"]:
        _print_held(report, counts["held"])
    for warning in report.warnings[:_SHOWN]:
        note(f"  Note: {shown(warning, most=300)}")
    if len(report.warnings) > _SHOWN:
        note(f"  … and {len(report.warnings) - _SHOWN} more notes: `syncline runs {report.run}`")
    _print_end(report)
    if first and nothing and (report.error or {}).get("code") not in _LATER:
        note(f"  Was the source mistyped? syncline connections remove {shown(report.connection)}")
    if first and good and counts["created"] and not quiet:
        say()
        say('  Try: syncline search "a question"')
        say(f"       syncline sync {shown(report.connection)}     again, whenever it has changed")


def print_plan(report: Report, *, samples: Mapping[str, Sequence[str]], quiet: bool) -> None:
    """What a sync would do."""
    counts = report.counts
    chunks = counts.get("chunks_to_embed", 0)
    embed = f"; about {chunks} chunks to embed" if chunks else ""
    say(
        f"{bold(shown(report.connection))}: a sync would be {_changes(counts)}"
        f" ({counts['listed']} listed{embed})"
    )
    _print_rest(counts)
    if not quiet:
        for kind in ("created", "updated", "moved", "deleted", "held", "filtered", "failed"):
            names = samples.get(kind, ())
            for name in names[:_SHOWN]:
                say(f"  {kind:<9} {shown(name, most=200)}")
            total = max(counts.get(kind, 0), len(names))
            if total > _SHOWN:
                say(f"  {'':<9} … and {total - _SHOWN} more {kind}")
    if counts["held"]:
        note(f"  {counts['held']} deletions would be held for a person to approve.")
    for warning in report.warnings[:_SHOWN]:
        note(f"  Note: {shown(warning, most=300)}")
    _print_end(report)


def _changes(counts: Mapping[str, int]) -> str:
    return (
        f"+{counts['created']} ~{counts['updated']} -{counts['deleted']},"
        f" unchanged {counts['unchanged']}"
    )


def _print_rest(counts: Mapping[str, int]) -> None:
    rest = [f"{counts[name]} {words}" for name, words in _REST.items() if counts.get(name)]
    if rest:
        say(f"  {', '.join(rest)}")


def _print_failed(
    report: Report, counts: Mapping[str, int], failed: Sequence[tuple[str, str]]
) -> None:
    dead = counts.get("dead", 0)
    also = f", {dead} of them given up until they change" if dead else ""
    note(f"  {counts['failed']} failed{also}:")
    for name, reason in failed[:_SHOWN]:
        note(f"    {shown(name, most=120)}: {shown(reason, most=300)}")
    if report.run is not None:
        more = counts["failed"] - len(failed[:_SHOWN])
        others = f"… and {more} more; " if more > 0 else ""
        note(f"    {others}`syncline runs {report.run}` has the whole report.")


def _print_held(report: Report, held: int) -> None:
    documents = "1 document is" if held == 1 else f"{held} documents are"
    name = shown(report.connection)
    note(f"  {documents} no longer there; so many that deleting waits for your word:")
    note("    syncline deletions                    shows them")
    note(f"    syncline deletions approve {name}   deletes them")
    note(f"    syncline deletions reject {name}    keeps them")


def _print_end(report: Report) -> None:
    if report.state is RunState.INTERRUPTED:
        note("Stopped. What is written stays; the next sync goes on from there.")
    elif report.state is RunState.RUNNING:
        which = "" if report.run is None else f"`syncline runs {report.run}` tells how it ends."
        note(f"It goes on without this command. {which}".strip())
    elif report.state is RunState.FAILED:
        error = report.error or {}
        complain(
            f"{report.connection}: {error.get('message', 'the run failed')}", error.get("hint")
        )

"""A kind of source described: for the command line, its JSON, and the reference."""

from __future__ import annotations

from typing import Any

from pydantic_core import PydanticUndefined

from syncline.core.model import Json
from syncline.core.ports import ConnectorSpec

__all__ = ["about", "sentences"]

_CHANGES = {
    "listing": "each sync lists everything there is.",
    "feed": "each sync reads what changed since the one before.",
}
_ABSENCE = {
    "proof": "it is gone.",
    "confirm": "it is asked for once more, and is gone if the source says so for that entry.",
    "nothing": "it stays; only the source's own word removes it.",
}
_WINDOW = {
    "listing": "Only what was updated lately (`--since`): as far as the source can be asked so.",
    "feed": "Only what was updated lately (`--since`, `--updated-since`): the source is asked so.",
}
_VERSIONS = {
    "exact": "exact; an entry whose version is the stored one is not read.",
    "hint": "a hint, believed for a day after the entry was last read.",
}
_COMPLETE = (
    "What is gone: seen when the complete list is read, a day after it last was (`--recheck`), or "
    "at once with `--reconcile`"
)


def about(spec: ConnectorSpec) -> dict[str, Json]:
    """The documented fields of `syncline connectors show --json`."""
    can, notes = spec.capabilities, spec.notes
    return {
        "kind": spec.kind,
        "title": spec.title,
        "description": spec.description,
        "options": [
            {
                "name": name,
                "about": field.description,
                "required": field.is_required(),
                "default": _json(field.default),
            }
            for name, field in spec.options.model_fields.items()
        ],
        "secrets": [
            {"name": name, "about": field.description, "required": field.is_required()}
            for name, field in spec.secrets.model_fields.items()
        ],
        "capabilities": {
            "changes": can.changes.value,
            "absence": can.absence.value,
            "versions": can.versions.value,
            "deletions_in_feed": can.deletions_in_feed,
            "access_lists": can.access_lists,
            "reads_since": can.reads_since,
        },
        "quota": [{"requests": each.tokens, "seconds": each.seconds} for each in spec.quota],
        "notes": {}
        if notes is None
        else {
            "reads": notes.reads,
            "access": notes.access,
            "deletions": notes.deletions,
            "requests": notes.requests,
            "credentials": notes.credentials,
            "limits": list(notes.limits),
        },
    }


def sentences(spec: ConnectorSpec) -> list[str]:
    """What it does, in lines of Markdown."""
    can, notes = spec.capabilities, spec.notes
    lines = [f"Reading: {_CHANGES[can.changes.value]}"]
    if can.changes.value == "feed" and can.absence.value != "nothing":
        lines.append(f"{_COMPLETE}.")
    elif can.deletions_in_feed:
        lines.append("What is gone: the source tells.")
    else:
        lines.append(f"What is no longer listed: {_ABSENCE[can.absence.value]}")
    if can.reads_since:
        lines.append(_WINDOW[can.changes.value])
    lines.append(f"Versions: {_VERSIONS[can.versions.value]}")
    if spec.quota:
        told = " and ".join(f"{each.tokens:,} in {each.seconds:g} s" for each in spec.quota)
        lines.append(f"Requests: at most {told}, unless the options say otherwise.")
    if notes is not None:
        named = (
            ("Read", notes.reads),
            ("Access", notes.access),
            ("Deletions", notes.deletions),
            ("Cost", notes.requests),
            ("Credentials", notes.credentials),
        )
        lines += [f"{name}: {text}" for name, text in named if text]
        lines += [f"Limit: {text}" for text in notes.limits]
    return lines


def _json(value: Any) -> Json:
    if value is PydanticUndefined:
        return None
    return list(value) if isinstance(value, tuple) else value

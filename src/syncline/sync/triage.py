"""Layer one of change detection: what a listed entry's version says, before anything is read."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct, field

from syncline.core.capabilities import Capabilities, Changes, Versions
from syncline.core.model import Content, Entry, Mode, Outcome, Validators
from syncline.pipeline.filter import Filter, decide
from syncline.store.manifest import Known
from syncline.store.results import MOST_FAILURES, Filtered, Item

__all__ = ["Read", "Rules", "Settled", "Store", "triage"]


class Rules(Struct, frozen=True):
    """What the decision depends on besides the entry."""

    capabilities: Capabilities
    filter: Filter
    mode: Mode
    fingerprint: bytes
    """Of the pipeline."""
    window_fingerprint: bytes
    """Of the pipeline and the reading window: for entries that the window left out."""
    recheck: float
    """Seconds for which a version that is only a hint is believed."""

    @property
    def since(self) -> datetime | None:
        """What was updated earlier need not be listed. What a listing leaves out would be gone."""
        if self.capabilities.changes is Changes.LISTING and self.mode is not Mode.BACKFILL:
            return None
        starts = filter(None, (self.filter.updated_since, self.filter.window_start))
        return max(starts, default=None)


class Settled(Struct, frozen=True):
    """Nothing to read and nothing to write."""

    outcome: Outcome
    counts: Mapping[str, int] = field(default_factory=dict)
    item: Item | None = None


class Store(Struct, frozen=True):
    """Nothing to read, but something to note."""

    verdict: Filtered


class Read(Struct, frozen=True):
    """It must be looked at."""

    validators: Validators | None = None
    """Given where an unchanged answer would settle it."""
    original: bool = False
    """What we kept of it serves: only the pipeline has changed."""
    content: Content | None = None


def triage(entry: Entry, known: Known | None, rules: Rules) -> Settled | Store | Read:
    """What is to be done with a listed entry."""
    early = _left_out(entry, rules)
    if early is not None:
        return _note_filtered(entry, known, early)
    if known is None:
        return Read()
    dead = _dead_letter(entry, known)
    if rules.mode in (Mode.FULL, Mode.BACKFILL):
        return Read()
    if dead is not None:
        return dead
    trusted = _version_holds(entry, known, rules)
    if trusted and _pipeline_holds(known, rules):
        settled = _as_before(entry, known)
        if settled is not None:
            return settled
    validators = None
    if known.state == "stored" and known.live and known.fingerprint == rules.fingerprint:
        validators = known.validators or None
    return Read(validators, original=trusted and not rules.capabilities.local)


def _left_out(entry: Entry, rules: Rules) -> Filtered | None:
    """Whether the connector or the filter leaves it out by what the listing says."""
    if entry.filtered is not None:
        return Filtered(entry.filtered, None, belongs=False)  # no pipeline would let it in
    rejection = decide(rules.filter, entry.metadata, None)
    if rejection is None:
        return None
    window = rejection.kind == "window"
    fingerprint = rules.window_fingerprint if window else rules.fingerprint
    return Filtered(rejection.reason, fingerprint, belongs=window)


def _note_filtered(entry: Entry, known: Known | None, filtered: Filtered) -> Settled | Store:
    same = known is not None and known.state == "filtered" and known.reason == filtered.reason
    if same or (filtered.belongs and known is not None and known.live):
        item = Item("filtered", entry.id, filtered.reason)
        return Settled(Outcome.FILTERED, item=item)
    return Store(filtered)


def _dead_letter(entry: Entry, known: Known) -> Settled | None:
    """A dead letter is not tried again until it changes, or a person says so.

    One without a version may have changed: only trying it tells.
    """
    if known.failures < MOST_FAILURES or known.failure is None:
        return None
    if known.failure.get("discarded") and entry.version in (None, known.failure.get("version")):
        reason = f"discarded by a person: {known.failure.get('message')}"
        return Settled(Outcome.FILTERED, item=Item("filtered", entry.id, reason))
    if entry.version is None or known.failure.get("version") != entry.version:
        return None
    reason = f"dead letter after {known.failures} tries: {known.failure.get('message')}"
    item = Item("failed", entry.id, reason, {"code": known.failure.get("code"), "dead": True})
    return Settled(Outcome.FAILED, {"dead": 1}, item)


def _version_holds(entry: Entry, known: Known, rules: Rules) -> bool:
    if entry.version is None or entry.version != known.version or known.failures:
        return False
    return rules.capabilities.versions is Versions.EXACT or known.age < rules.recheck


def _pipeline_holds(known: Known, rules: Rules) -> bool:
    if known.fingerprint == rules.fingerprint:
        return True
    return known.state == "filtered" and known.fingerprint == rules.window_fingerprint


def _as_before(entry: Entry, known: Known) -> Settled | None:
    """What it was counted as when it was last read; None if that must be looked at again."""
    reason = known.reason or ""
    if known.state == "stored" and known.live and not reason:
        return Settled(Outcome.UNCHANGED, {"unchanged_by_version": 1})
    if known.state == "filtered":
        return Settled(Outcome.FILTERED, item=Item("filtered", entry.id, reason))
    if known.state == "alias" and known.target_live:
        return Settled(Outcome.ALIAS, item=Item("alias", entry.id, reason))
    if known.state == "absent" and known.gone is None:
        return Settled(Outcome.ABSENT, item=Item("absent", entry.id, reason))
    return None

"""The end of Zendesk's lists that are cut by cursors.

https://developer.zendesk.com/api-reference/introduction/pagination/
"""

from __future__ import annotations

from syncline.connectors.json_api import Answer
from syncline.core.errors import BadContent

__all__ = ["after_cursor"]


def after_cursor(page: Answer) -> str | None:
    """The next page's cursor; None at the end. Raises `BadContent` where it does not say."""
    meta = page.object().get("meta")
    if not isinstance(meta, dict) or not isinstance(meta.get("has_more"), bool):
        raise BadContent(f"{page.what} does not say whether there is more")
    if not meta["has_more"]:
        return None
    after = meta.get("after_cursor")
    if not isinstance(after, str) or not after:
        raise BadContent(f"{page.what} has more, but does not say where")
    return after

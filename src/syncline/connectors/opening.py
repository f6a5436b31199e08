"""Opening a connector: what it is made of is imported when a connection is first opened."""

from __future__ import annotations

import pkgutil
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from syncline.core.ports import Authentication, Connector, Context

__all__ = ["opens"]


def opens(
    connector: str | Callable[..., Connector],
    authenticate: Callable[[Any, Any], Authentication | None] | None = None,
) -> Callable[[Any, Any, Context], AbstractAsyncContextManager[Connector]]:
    """The `open` of a spec whose connector is made of its options and context.

    `"package.connector:Class"` is imported only when it is opened. With the spec's `authenticate`
    the class is also told, as `authenticated`, whether there are credentials.
    """

    @asynccontextmanager
    async def opened(options: Any, secrets: Any, context: Context) -> AsyncIterator[Connector]:
        make = pkgutil.resolve_name(connector) if isinstance(connector, str) else connector
        if authenticate is None:
            yield make(options, context)
        else:
            proof = authenticate(options, secrets)
            yield make(options, context, authenticated=proof is not None)

    return opened

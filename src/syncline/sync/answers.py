"""Where answers are kept beyond one process: Redis where it is configured, else a table."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import psycopg

from syncline.core.errors import ConfigurationError
from syncline.store.response_cache import read_answer, write_answer
from syncline.sync.opening import Scope

__all__ = ["RedisAnswers", "TableAnswers"]

_SECONDS = 2.0
"""To wait for Redis, which is there to save time."""


class TableAnswers:
    """Implements `transport.cache.AnswerStore` with an unlogged table."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    async def get(self, key: bytes) -> bytes | None:
        try:
            async with self._scope.session() as db:
                return await read_answer(
                    db, self._scope.workspace_id, self._scope.connection_id, key
                )
        except psycopg.Error:
            return None  # a run that needs the database will say so

    async def put(self, key: bytes, data: bytes, seconds: float) -> None:
        try:
            async with self._scope.session() as db:
                await write_answer(
                    db, self._scope.workspace_id, self._scope.connection_id, key, data, seconds
                )
        except psycopg.Error:
            return

    async def close(self) -> None:
        """Sessions are lent."""


class RedisAnswers:
    """Implements `transport.cache.AnswerStore` with Redis, which forgets by itself."""

    def __init__(self, url: str, installation: str, scope: Scope) -> None:
        """`installation` tells databases apart that use the same Redis."""
        self._url = url
        whose = sha256(installation.encode()).hexdigest()[:16]
        self._prefix = f"syncline:{whose}:{scope.workspace_id}:{scope.connection_id}:"
        self._warn = scope.warn
        self._client: Any = None
        self._failed = False

    async def get(self, key: bytes) -> bytes | None:
        found: bytes | None = await self._do("get", self._name(key))
        return found

    async def put(self, key: bytes, data: bytes, seconds: float) -> None:
        await self._do("set", self._name(key), data, ex=max(1, int(seconds)))

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    def _name(self, key: bytes) -> str:
        return self._prefix + key.hex()

    async def _do(self, command: str, *args: Any, **more: Any) -> Any:
        if self._failed:
            return None
        try:
            from redis.asyncio import Redis
            from redis.exceptions import RedisError
        except ImportError as error:
            raise ConfigurationError(
                "SYNCLINE_REDIS_URL is set, but the library for Redis is not installed.",
                hint="pip install 'syncline[redis]', or unset SYNCLINE_REDIS_URL.",
            ) from error
        try:
            if self._client is None:
                self._client = Redis.from_url(
                    self._url, socket_timeout=_SECONDS, socket_connect_timeout=_SECONDS
                )
            return await getattr(self._client, command)(*args, **more)
        except (RedisError, OSError, TimeoutError, ValueError) as error:
            # Its address may hold a password.
            self._failed = True
            self._warn(f"Redis is of no use, so nothing is kept there ({type(error).__name__})")
            return None

"""Calling the asynchronous API from ordinary code: one generic wrapper, for all of its methods.

::

    with syncline.blocking() as kb:
        report = kb.sync("./docs")
        for document in kb.documents.list().documents:
            print(document.title)
"""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError as FutureCancelledError
from functools import partial, wraps
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from syncline.client import Syncline
from syncline.parts import Connections, Deletions, Documents, Duplicates, Events, Jobs

__all__ = ["Blocking", "blocking"]

P = ParamSpec("P")
T = TypeVar("T")


def blocking(**options: Any) -> Blocking:
    """What `syncline.open` gives, with methods that block. Takes the same arguments.

    To be used as `with syncline.blocking() as kb`, or opened by `open()` and ended by `close()`.
    """
    from syncline.client import open  # noqa: A004 - the package's own word

    return Blocking(partial(open, **options))


class Blocking:
    """A `Syncline` that runs on an event loop in a thread of its own.

    Every attribute of `Syncline` is here, and its coroutine methods block. `call` does the same
    with the method's types kept: `kb.call(Syncline.sync, "./docs")` is a `Report`. Any number of
    threads may call at once. Ctrl-C cancels the call that it interrupts.
    """

    def __init__(self, make: Callable[[], Syncline]) -> None:
        self._make = make
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._client: Syncline | None = None

    def open(self) -> Self:
        """Start the thread, and open. Raises as `Syncline.open` does."""
        client = self._make()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name="syncline", daemon=True)
        self._thread.start()
        try:
            self._run(client.open())
        except BaseException:
            self._end_thread()
            raise
        self._client = client
        return self

    def close(self) -> None:
        """Close, and end the thread. Closing twice does nothing."""
        client, self._client = self._client, None
        if client is None:
            return
        try:
            self._run(client.close())
        finally:
            self._end_thread()

    def call(
        self,
        method: Callable[Concatenate[Syncline, P], Coroutine[Any, Any, T]],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Call a method of `Syncline` and wait for its result."""
        return self._run(method(self._opened(), *args, **kwargs))

    def __getattr__(self, name: str) -> Any:
        return _blocking_attribute(self._run, getattr(self._opened(), name))

    def __enter__(self) -> Self:
        return self if self._client is not None else self.open()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _opened(self) -> Syncline:
        if self._client is None:
            raise RuntimeError("It is not open: use it in a `with`, or call `open()` first.")
        return self._client

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        assert self._loop is not None
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except KeyboardInterrupt:
            future.cancel()
            # What the call holds (a run's lane) is given back before we go on.
            asyncio.run_coroutine_threadsafe(_settled(self._loop), self._loop).result()
            raise
        except FutureCancelledError:
            raise asyncio.CancelledError from None

    def _serve(self) -> None:
        assert self._loop is not None
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
        finally:
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.run_until_complete(self._loop.shutdown_default_executor())
            self._loop.close()

    def _end_thread(self) -> None:
        assert self._loop is not None
        assert self._thread is not None
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop = self._thread = None


async def _settled(loop: asyncio.AbstractEventLoop) -> None:
    """Wait until what was cancelled has ended."""
    ours = asyncio.current_task(loop)
    ending = [task for task in asyncio.all_tasks(loop) if task is not ours and task.cancelling()]
    await asyncio.gather(*ending, return_exceptions=True)


class _Part:
    """A part of the client, such as its documents, with methods that block."""

    def __init__(self, run: Callable[[Coroutine[Any, Any, Any]], Any], part: object) -> None:
        self._run = run
        self._part = part

    def __getattr__(self, name: str) -> Any:
        return _blocking_attribute(self._run, getattr(self._part, name))


def _blocking_attribute(run: Callable[[Coroutine[Any, Any, Any]], Any], value: Any) -> Any:
    if inspect.iscoroutinefunction(value):

        @wraps(value)
        def call(*args: Any, **kwargs: Any) -> Any:
            return run(value(*args, **kwargs))

        return call
    if isinstance(value, Connections | Deletions | Documents | Duplicates | Events | Jobs):
        return _Part(run, value)
    return value

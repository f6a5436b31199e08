"""Celery on Redis: a late acknowledgement, so that a job survives its worker, as ours do.

As its guide to optimising advises for many short tasks: a large prefetch multiplier, no results,
no rate limits, and messages that are not compressed.
"""

from __future__ import annotations

import os
import sys

import redis
from celery import Celery

from benchmarks.jobs.scripts.commands import main, repeat_while_idle
from benchmarks.jobs.scripts.scorecard import note

_SOCKET = os.environ["REDIS_SOCKET"]

app = Celery("jobs", broker=f"redis+socket://{_SOCKET}")
app.conf.update(
    task_acks_late=True,
    task_ignore_result=True,
    task_store_errors_even_if_ignored=False,
    worker_prefetch_multiplier=128,
    worker_disable_rate_limits=True,
    worker_hijack_root_logger=False,
    broker_connection_retry_on_startup=True,
)


@app.task(name="noop")
def noop(sent: float | None = None) -> None:
    """Nothing."""
    note(sent)


def _prepare() -> None:
    redis.Redis(unix_socket_path=_SOCKET).flushall()


def _enqueue(count: int) -> None:
    with app.producer_pool.acquire(block=True) as producer:
        for _ in range(count):
            noop.apply_async(producer=producer)


def _work() -> None:
    arguments = ["worker", "--pool=prefork", "--concurrency=2", "--loglevel=ERROR"]
    arguments += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    app.worker_main(arguments)


def _ask(count: int) -> None:
    repeat_while_idle(lambda sent: noop.apply_async(args=(sent,)), count)


def _left() -> int:
    client = redis.Redis(unix_socket_path=_SOCKET)
    return int(client.llen("celery")) + int(client.hlen("unacked"))


if __name__ == "__main__":
    sys.modules["benchmarks.jobs.scripts.with_celery"] = sys.modules["__main__"]
    main(prepare=_prepare, enqueue=_enqueue, work=_work, ask=_ask, left=_left)

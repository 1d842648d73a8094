"""Tasks of asyncio: one failure stops the others of a group, and the gravest failure is raised."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from blindmatch.protocol.errors import BlindmatchError, PeerCode, PeerError

Result = TypeVar("Result")


def retrieve(task: "asyncio.Task[Result]") -> None:
    """Retrieve the exception of a finished task, so that asyncio does not log "never retrieved"."""
    if not task.cancelled():
        task.exception()


async def run_to_end(work: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine to its end, even when the calling task is cancelled."""
    task = asyncio.create_task(work)
    task.add_done_callback(retrieve)
    return await asyncio.shield(task)


@asynccontextmanager
async def task_group() -> AsyncIterator[asyncio.TaskGroup]:
    """An `asyncio.TaskGroup` that raises the gravest of several failures."""
    try:
        async with asyncio.TaskGroup() as tasks:
            yield tasks
    except ExceptionGroup as group:
        raise gravest(group) from None


async def together(coroutines: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Run all at the same time; when one fails, stop the others and raise the gravest failure."""
    async with task_group() as tasks:
        for coroutine in coroutines:
            tasks.create_task(coroutine)


def gravest(group: ExceptionGroup) -> Exception:
    """The failure to report of several: a broken stream is often only the consequence of another failure."""
    flat = [gravest(error) if isinstance(error, ExceptionGroup) else error for error in group.exceptions]
    return min(flat, key=_rank)


def _rank(error: Exception) -> int:
    if isinstance(error, BlindmatchError):
        return 1 if isinstance(error, PeerError) and error.code is PeerCode.UNAVAILABLE else 0
    return 3 if isinstance(error, asyncio.InvalidStateError) else 2

"""Streams of requests: read ahead while earlier requests are processed, and answered in batches."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, TypeVar

from blindmatch.node.rounds.driver import SessionDriver
from blindmatch.node.rounds.tasks import retrieve
from blindmatch.protocol.errors import PeerCode, PeerError
from blindmatch.protocol.session.messages import Header

BATCH = 8
"""Chunks that are processed together when as many wait: 1 MiB."""


Message = TypeVar("Message")
Answer = TypeVar("Answer")
Driver = TypeVar("Driver", bound=SessionDriver[Any])


async def answers(
    requests: AsyncIterator[Message],
    header_of: Callable[[Message], Header],
    find: Callable[[Header], Awaitable[Driver]],
    process: Callable[[Driver, Sequence[Message]], Awaitable[Sequence[Answer]]],
) -> AsyncIterator[Answer]:
    """The answers to a stream of chunks of one edge of one round, in the order of the chunks.

    Args:
        requests: the chunks.
        header_of: reads a chunk's header.
        find: gives the session of the first chunk.
        process: answers the first of some chunks, at least one; it is called again with the others.

    Raises:
        PeerError: UNKNOWN_ROUND, when a chunk belongs to another edge or round; and those of the arguments.
    """
    session: Driver | None = None
    async for waiting in batches(requests, BATCH):
        for request in waiting:
            header = header_of(request)
            if session is None:
                session = await find(header)
            elif (header.round_id, header.edge) != session.key:
                raise PeerError(PeerCode.UNKNOWN_ROUND, "one stream carries one edge of one round")
        remaining: Sequence[Message] = waiting
        while session is not None and remaining:
            done = await process(session, remaining)
            remaining = remaining[len(done) :]
            for answer in done:
                yield answer


async def batches(messages: AsyncIterator[Message], most: int) -> AsyncIterator[list[Message]]:
    """The stream's messages in their order: one as soon as it arrives, up to `most` if they wait already.

    At most `most` messages are held beside those of the last batch. An error of the stream is raised after the messages
    before it.
    """
    waiting: asyncio.Queue[Message | None] = asyncio.Queue(most)

    async def read() -> None:
        try:
            async for message in messages:
                await waiting.put(message)
        except Exception:
            await waiting.put(None)
            raise
        await waiting.put(None)

    reading = asyncio.create_task(read())
    reading.add_done_callback(retrieve)
    try:
        ended = False
        while not ended:
            batch = []
            message = await waiting.get()
            while message is not None:
                batch.append(message)
                if len(batch) == most or waiting.empty():
                    break
                message = waiting.get_nowait()
            ended = message is None
            if batch:
                yield batch
        await reading
    finally:
        reading.cancel()

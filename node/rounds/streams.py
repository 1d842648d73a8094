"""Reading ahead: a stream's messages are taken while earlier ones are at work, and what waits is handed out together."""

import asyncio
from collections.abc import AsyncIterator
from typing import TypeVar

from blindmatch.node.rounds.driver import retrieve

Message = TypeVar("Message")


async def batches(messages: AsyncIterator[Message], most: int) -> AsyncIterator[list[Message]]:
    """The stream's messages in their order: one as soon as there is one, up to `most` where they wait already.

    At most `most` messages are held beside those handed out. What reading raises is raised after the messages before it.
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

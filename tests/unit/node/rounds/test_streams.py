"""Messages that wait are handed out together, in order, no more than allowed, and what went wrong comes after them."""

import asyncio

import pytest

from blindmatch.node.rounds.streams import batches


async def stream(count, *, read=None, fail=False):
    for number in range(count):
        if read is not None:
            read.append(number)
        yield number
    if fail:
        raise ValueError("the stream broke")


async def settle():
    for _ in range(50):
        await asyncio.sleep(0)


@pytest.mark.parametrize(("count", "most"), [(0, 4), (1, 4), (4, 4), (9, 4), (3, 1)])
async def test_every_message_comes_once_and_in_order(count, most):
    found = [batch async for batch in batches(stream(count), most)]
    assert [number for batch in found for number in batch] == list(range(count))
    assert all(1 <= len(batch) <= most for batch in found)


async def test_what_waits_comes_together_and_no_more_is_read():
    read = []
    waiting = batches(stream(20, read=read), 4)
    assert await anext(waiting) == [0, 1, 2, 3]
    await settle()
    assert len(read) == 4 + 4 + 1  # handed out, waiting, and one in hand
    assert await anext(waiting) == [4, 5, 6, 7]
    await waiting.aclose()
    await settle()
    assert len(read) < 20


async def test_a_message_is_not_kept_until_there_are_several():
    gate = asyncio.Event()

    async def slow():
        yield 1
        await gate.wait()
        yield 2

    waiting = batches(slow(), 4)
    assert await anext(waiting) == [1]
    gate.set()
    assert await anext(waiting) == [2]
    with pytest.raises(StopAsyncIteration):
        await anext(waiting)


async def test_a_broken_stream_is_told_after_what_came_before():
    found = []

    async def take():
        async for batch in batches(stream(6, fail=True), 4):
            found.extend(batch)

    with pytest.raises(ValueError, match="broke"):
        await take()
    assert found == list(range(6))

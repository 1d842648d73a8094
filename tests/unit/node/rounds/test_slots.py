"""Turns: a few at a time; who waits, stalls or is done keeps no place."""

import asyncio

from blindmatch.node.rounds import slots
from blindmatch.node.rounds.slots import Slots


async def taken(turn) -> bool:
    """Whether a turn comes without anybody giving one away."""
    try:
        async with asyncio.timeout(0.01):
            await turn.acquire()
    except TimeoutError:
        return False
    return True


async def test_no_more_than_so_many_at_a_time():
    some = Slots(2)
    first, second, third = (some.slot() for _ in range(3))
    assert await taken(first)
    assert await taken(second)
    assert not await taken(third)
    first.release()
    assert await taken(third)
    for turn in (second, third):
        turn.release()


async def test_a_turn_is_taken_and_given_once():
    some = Slots(1)
    first, second = some.slot(), some.slot()
    await first.acquire()
    await first.acquire()
    first.release()
    first.release()  # else two places would be free
    await second.acquire()
    assert not await taken(first)
    second.release()


async def test_who_does_not_get_further_loses_its_turn(monkeypatch):
    monkeypatch.setattr(slots, "STALL_SECONDS", 0.0)
    some = Slots(1)
    slow, other = some.slot(), some.slot()
    await slow.acquire()
    await other.acquire()  # comes without `slow` giving anything away
    other.release()


async def test_getting_further_puts_that_off():
    turn = Slots(1).slot()
    await turn.acquire()
    first = turn._timer
    turn.touch()
    assert first.cancelled()
    assert turn._timer.when() >= first.when()
    last = turn._timer
    turn.release()
    assert last.cancelled()


async def test_who_lost_its_turn_is_none_that_moves_on(monkeypatch):
    monkeypatch.setattr(slots, "STALL_SECONDS", 0.0)
    some = Slots(1)
    slow, other = some.slot(), some.slot()
    await slow.acquire()
    await other.acquire()
    slow.touch()  # it goes on without a place
    slow.release()
    other.release()
    third = some.slot()
    await third.acquire()
    third.release()

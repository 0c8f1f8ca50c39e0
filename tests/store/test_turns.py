"""Turns: nobody who asks often stands before the rest."""

from __future__ import annotations

import asyncio

from relay.store.turns import Turns


async def test_owners_take_turns_and_each_is_served_in_order() -> None:
    turns: Turns[str] = Turns()
    served: list[str] = []

    async def use(owner: str, number: int) -> None:
        async with turns.lent(owner):
            served.append(f"{owner}{number}")
            await asyncio.sleep(0)

    tasks = [asyncio.create_task(use("a", number)) for number in range(4)]
    tasks += [asyncio.create_task(use(owner, number)) for number in range(2) for owner in "bc"]
    await asyncio.sleep(0)
    turns.add("the only one")
    await asyncio.gather(*tasks)
    assert served == ["a0", "b0", "c0", "a1", "b1", "c1", "a2", "a3"]


async def test_whoever_stops_waiting_takes_nothing_away() -> None:
    turns: Turns[str] = Turns()
    turns.add("the only one")
    async with turns.lent("a"):
        waiting = [asyncio.create_task(turns.lent("b").__aenter__()) for _ in range(3)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        await asyncio.sleep(0)
    waiting[1].cancel()  # it was given the thing in this moment
    await asyncio.gather(*waiting[:2], return_exceptions=True)
    assert await asyncio.wait_for(waiting[2], 5) == "the only one"


async def test_as_many_are_lent_as_there_are_and_come_back_after_errors() -> None:
    turns: Turns[int] = Turns()
    turns.add(1)
    turns.add(2)
    for _ in range(5):
        async with turns.lent("a") as one, turns.lent("a") as other:
            assert {one, other} == {1, 2}
        try:
            async with turns.lent("b"):
                raise ZeroDivisionError
        except ZeroDivisionError:
            pass

"""Helpers of the bench in processes of their own: asked and answering by JSON lines, gone when nobody asks any more."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, cast

import orjson

from relay.core.errors import RelayError

ANSWER_LIMIT = 2**20
STOP_S = 5.0


class Child:
    """The asking end."""

    def __init__(self, pid: int, questions: asyncio.StreamWriter, answers: asyncio.StreamReader) -> None:
        self.pid = pid
        self._questions = questions
        self._answers = answers

    async def ask(self, **question: Any) -> dict[str, Any]:
        """Put a question and wait for its answer. Raises RelayError when the process has ended."""
        try:
            self._questions.write(orjson.dumps(question) + b"\n")
            await self._questions.drain()
            answer = await self._answers.readline()
        except ConnectionError:
            answer = b""
        if not answer:
            raise RelayError("a helper process of the bench ended early; what it wrote to stderr says why")
        found: dict[str, Any] = orjson.loads(answer)
        return found


@contextlib.asynccontextmanager
async def child(module: str, *arguments: str) -> AsyncIterator[Child]:
    """Start a module of this installation as a helper; it is gone when the block ends."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=ANSWER_LIMIT,
    )
    questions, answers = cast("asyncio.StreamWriter", process.stdin), cast("asyncio.StreamReader", process.stdout)
    try:
        yield Child(process.pid, questions, answers)
    finally:
        questions.close()
        try:
            async with asyncio.timeout(STOP_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


async def answer_questions(answer: Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]) -> None:
    """The answering end: one question after the other, until standard input ends."""
    questions = asyncio.StreamReader(limit=ANSWER_LIMIT)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(questions), sys.stdin)
    while line := await questions.readline():
        sys.stdout.buffer.write(orjson.dumps(await answer(orjson.loads(line))) + b"\n")
        sys.stdout.buffer.flush()


def run_child(main: Callable[[], Awaitable[None]]) -> None:
    """Run a helper on the quickest event loop there is here. It ends with its parent, also on Ctrl-C."""

    async def whole() -> None:
        await main()

    with contextlib.suppress(KeyboardInterrupt):
        try:
            import uvloop
        except ImportError:
            asyncio.run(whole())
        else:
            uvloop.run(whole())

"""A web app that hands a bot's answer on while it is being written.

Run it with `python examples/web_app.py`, then `curl -N 'http://127.0.0.1:8080/chat?question=Hello'`.
"""

import os
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from coze_async import AsyncCoze, CozeError
from coze_async.emulator import Emulator


def client() -> AsyncCoze:
    if os.environ.get("COZE_API_TOKEN"):
        return AsyncCoze()
    emulator = Emulator(pace=0.03)
    return AsyncCoze("any", base_url=emulator.url, transport=emulator.transport())


@asynccontextmanager
async def lifespan(_: Starlette) -> AsyncGenerator[dict[str, AsyncCoze]]:
    # One client for the whole app: it holds the connections and the limits of all users.
    async with client() as coze:
        yield {"coze": coze}


async def chat(request: Request) -> Response:
    coze: AsyncCoze = request.state.coze
    bot_id, user_id = os.environ.get("COZE_BOT_ID", "emulated"), request.query_params.get("user", "guest")
    try:
        texts = coze.chat.stream(request.query_params.get("question"), bot_id=bot_id, user_id=user_id).text()
        first = await anext(texts, "")
    except CozeError as error:
        return PlainTextResponse(str(error), status_code=502)

    async def answer() -> AsyncIterator[str]:
        yield first
        async for text in texts:
            yield text

    return StreamingResponse(answer(), media_type="text/plain; charset=utf-8")


app = Starlette(routes=[Route("/chat", chat)], lifespan=lifespan)

if __name__ == "__main__":
    uvicorn.run(app, port=8080)

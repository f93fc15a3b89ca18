"""A poll server on aiohttp with uvloop: a future for each held poll."""

import asyncio
import sys
import uuid
from collections import defaultdict, deque
from typing import Any

import uvloop
from aiohttp import web

IDLE = {"success": False, "message": "no message"}
ACCEPTED = {"success": True, "message": "taken"}

waiting: dict[str, "asyncio.Future[dict[str, Any]]"] = {}
queues: defaultdict[str, deque[dict[str, Any]]] = defaultdict(deque)
hold = float(sys.argv[2])


async def poll(request: Any) -> Any:
    """Hold the poll until a command is put."""
    device = request.match_info["device"]
    queue = queues.get(device)
    if queue:
        return web.json_response(queue.popleft())
    if not hold:
        return web.json_response(IDLE)
    future = asyncio.get_running_loop().create_future()
    waiting[device] = future
    try:
        async with asyncio.timeout(hold):
            return web.json_response(await future)
    except TimeoutError:
        return web.json_response(IDLE)
    finally:
        if waiting.get(device) is future:
            del waiting[device]


async def put(request: Any) -> Any:
    """Wake the poll, or keep the message for the next poll."""
    device = request.match_info["device"].partition(":")[2]
    payload = (await request.json())["payload"]
    name = str(uuid.uuid4())
    message = {"success": True, "data": {"containerId": device, "messageId": name, **payload}}
    future = waiting.pop(device, None)
    if future is not None and not future.done():
        future.set_result(message)
    else:
        queues[device].append(message)
    return web.json_response({"id": name, "state": "queued"}, status=201)


async def take(request: Any) -> Any:
    """Accept an ack or a result."""
    await request.read()
    return web.json_response(ACCEPTED)


async def show(request: Any) -> Any:
    """Show a device to an operator."""
    device = request.match_info["device"].partition(":")[2]
    return web.json_response({"id": device, "polling": device in waiting})


def make() -> Any:
    """Build the application."""
    app = web.Application()
    app.router.add_get("/push/{device}", poll)
    app.router.add_post("/push/{device}/{what}/{message}", take)
    app.router.add_post("/v1/devices/{device}/commands", put)
    app.router.add_get("/v1/devices/{device}", show)
    return app


if __name__ == "__main__":
    uvloop.install()
    web.run_app(make(), host="127.0.0.1", port=int(sys.argv[1]), access_log=None, print=None, backlog=4096)

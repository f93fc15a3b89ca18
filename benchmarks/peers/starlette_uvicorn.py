"""A poll server on Starlette and uvicorn, with uvloop and httptools."""

import asyncio
import sys
import uuid
from collections import defaultdict, deque
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

IDLE = {"success": False, "message": "no message"}
ACCEPTED = {"success": True, "message": "taken"}

waiting: dict[str, "asyncio.Future[dict[str, Any]]"] = {}
queues: defaultdict[str, deque[dict[str, Any]]] = defaultdict(deque)
hold = float(sys.argv[2])


async def poll(request: Any) -> Any:
    """Hold the poll until a command is put."""
    device = request.path_params["device"]
    queue = queues.get(device)
    if queue:
        return JSONResponse(queue.popleft())
    if not hold:
        return JSONResponse(IDLE)
    future = asyncio.get_running_loop().create_future()
    waiting[device] = future
    try:
        async with asyncio.timeout(hold):
            return JSONResponse(await future)
    except TimeoutError:
        return JSONResponse(IDLE)
    finally:
        if waiting.get(device) is future:
            del waiting[device]


async def put(request: Any) -> Any:
    """Wake the poll, or keep the message for the next poll."""
    device = request.path_params["device"].partition(":")[2]
    payload = (await request.json())["payload"]
    name = str(uuid.uuid4())
    message = {"success": True, "data": {"containerId": device, "messageId": name, **payload}}
    future = waiting.pop(device, None)
    if future is not None and not future.done():
        future.set_result(message)
    else:
        queues[device].append(message)
    return JSONResponse({"id": name, "state": "queued"}, status_code=201)


async def take(request: Any) -> Any:
    """Accept an ack or a result."""
    await request.body()
    return JSONResponse(ACCEPTED)


async def show(request: Any) -> Any:
    """Show a device to an operator."""
    device = request.path_params["device"].partition(":")[2]
    return JSONResponse({"id": device, "polling": device in waiting})


def make() -> Any:
    """Build the application."""
    return Starlette(
        routes=[
            Route("/push/{device}", poll),
            Route("/push/{device}/{what}/{message}", take, methods=["POST"]),
            Route("/v1/devices/{device}/commands", put, methods=["POST"]),
            Route("/v1/devices/{device}", show),
        ]
    )


if __name__ == "__main__":
    port = int(sys.argv[1])
    uvicorn.run(make(), host="127.0.0.1", port=port, log_level="error", access_log=False, lifespan="off", backlog=4096)

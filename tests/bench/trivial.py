"""The limit of T7: an application of the same framework and server that only answers.

`python -m tests.bench.trivial` serves it on a free port and prints its address.
"""

from __future__ import annotations

import asyncio
import socket

import orjson
import uvicorn
import uvloop
from fastapi import FastAPI, Request, Response

app = FastAPI()
ANSWER = orjson.dumps({"status": "accepted", "position": 1, "filling": "x" * 180})


@app.post("/v1/commands")
async def post(request: Request) -> Response:
    """Read a JSON body and answer as many bytes as the ledger does."""
    orjson.loads(await request.body())
    return Response(ANSWER, 201, media_type="application/json")


def main() -> None:
    """Serve, the way `qazyna serve` does."""
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, http="httptools", ws="none", log_config=None, access_log=False,
                            server_header=False)  # fmt: skip
    print(f"ready at http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(uvicorn.Server(config).serve([listening]))


if __name__ == "__main__":
    main()

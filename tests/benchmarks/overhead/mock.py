"""A service that speaks OpenAI's Chat Completions and does next to nothing: ``python mock.py``; prints its port.

Raw asyncio in a process of its own, so that it costs the measured processes nothing. The path ``/N/v1/...`` makes it wait
N milliseconds before it answers. Eight events go out at a time, as a network would deliver them.
"""

from __future__ import annotations

import asyncio
import json

SUMMARY = "A user asks how totals are rounded. " * 6
ANSWER = json.dumps({"summary": SUMMARY, "verdict": "noted", "abstain_reason": None})
PIECE = 4
AT_A_TIME = 8


def _events() -> list[bytes]:
    base = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_790_000_000, "model": "bench-1"}

    def chunk(delta: dict[str, str], reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        return b"data: " + json.dumps(base | {"choices": [choice]}).encode() + b"\n\n"

    usage = {"prompt_tokens": 900, "completion_tokens": 60, "total_tokens": 960}
    events = [chunk({"role": "assistant", "content": ""})]
    events += [chunk({"content": ANSWER[at : at + PIECE]}) for at in range(0, len(ANSWER), PIECE)]
    events += [chunk({}, "stop"), b"data: " + json.dumps(base | {"choices": [], "usage": usage}).encode() + b"\n\n", b"data: [DONE]\n\n"]
    return events


def _writes() -> list[bytes]:
    events = _events()
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nx-request-id: r-1\r\ntransfer-encoding: chunked\r\n\r\n"
    framed = [b"%x\r\n%b\r\n" % (len(event), event) for event in events]
    groups = [b"".join(framed[at : at + AT_A_TIME]) for at in range(0, len(framed), AT_A_TIME)]
    return [head + groups[0], *groups[1:-1], groups[-1] + b"0\r\n\r\n"]


WRITES = _writes()


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            lines = head.lower().split(b"\r\n")
            length = next((int(line[15:]) for line in lines if line.startswith(b"content-length:")), 0)
            await reader.readexactly(length)
            wait_ms = int(head.split(b" ", 2)[1].split(b"/")[1])
            if wait_ms:
                await asyncio.sleep(wait_ms / 1000)
            for data in WRITES:
                writer.write(data)
                await writer.drain()
                await asyncio.sleep(0)
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def main() -> None:
    """Serve until killed."""
    server = await asyncio.start_server(_serve, "127.0.0.1", 0, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())

"""Asks a server for answers over kept connections, and prints what came of it as JSON.

    python client.py URL --pictures FOLDER --connections 4 --seconds 10          # the next as soon as one is answered
    python client.py URL --pictures FOLDER --connections 64 --seconds 10 --rate 300

With ``--rate`` requests are due at random times (a Poisson process), whether or not the last ones are answered; a
request's time counts from when it was due, waiting for a free connection included.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import time
from pathlib import Path
from urllib.parse import urlsplit


class Client:
    """All connections of one measurement."""

    def __init__(self, options: argparse.Namespace) -> None:
        parts = urlsplit(options.url)
        self.host, self.port = parts.hostname or "localhost", parts.port or 80
        self.options = options
        heads = f"POST /predict HTTP/1.1\r\nHost: {self.host}\r\nContent-Type: image/jpeg\r\nContent-Length: "
        bodies = [path.read_bytes() for path in sorted(options.pictures.iterdir())]
        self.requests = [f"{heads}{len(body)}\r\n\r\n".encode() + body for body in bodies]
        self.due: asyncio.Queue[float] = asyncio.Queue()
        self.seconds: list[float] = []
        self.failures = 0
        self.begun = time.perf_counter()
        self.counted_from = self.begun + options.warmup
        self.end = self.counted_from + options.seconds

    async def run(self) -> dict[str, float]:
        """Ask until the time is over."""
        work = [asyncio.create_task(self.connection(n)) for n in range(self.options.connections)]
        if self.options.rate:
            work.append(asyncio.create_task(self.arrive()))
        await asyncio.gather(*work)
        self.seconds.sort()
        cuts = statistics.quantiles(self.seconds, n=100, method="inclusive")
        return {
            "requests_per_second": len(self.seconds) / self.options.seconds,
            "p50_ms": cuts[49] * 1e3,
            "p99_ms": cuts[98] * 1e3,
            "requests": len(self.seconds),
            "failures": self.failures,
        }

    async def arrive(self) -> None:
        """Let requests become due."""
        drawn = random.Random(1)
        at = self.begun
        while (at := at + drawn.expovariate(self.options.rate)) < self.end:
            await asyncio.sleep(at - time.perf_counter())
            self.due.put_nowait(at)
        for _ in range(self.options.connections):
            self.due.put_nowait(float("inf"))

    async def connection(self, number: int) -> None:
        """Ask one after the other, with another picture each time."""
        reader, writer = await asyncio.open_connection(self.host, self.port)
        while True:
            due = await self.due.get() if self.options.rate else time.perf_counter()
            if due >= self.end:
                break
            writer.write(self.requests[number % len(self.requests)])
            number += 1
            status = await answer(reader)
            now = time.perf_counter()
            if status != 200:
                self.failures += 1
            elif self.counted_from <= (due if self.options.rate else now) < self.end:
                self.seconds.append(now - due)
        writer.close()


async def answer(reader: asyncio.StreamReader) -> int:
    """The status of the next answer, which is read to its end."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
    await reader.readexactly(length)
    return int(head.split(b" ", 2)[1])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Ask a server under load")
    parser.add_argument("url")
    parser.add_argument("--pictures", type=Path, required=True, help="a folder of pictures only")
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--warmup", type=float, default=1, help="seconds that do not count")
    parser.add_argument(
        "--rate", type=float, default=0, help="requests a second; 0 is as many as are answered"
    )
    print(json.dumps(asyncio.run(Client(parser.parse_args()).run())))

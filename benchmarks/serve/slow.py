"""What hundreds of slow clients cost the others: 99th percentile with them and without, in turns.

    python benchmarks/serve/slow.py --data PACK       # needs Lilliput with the extras serve and export

Half of the slow ones send a letter of their request's head every second, the other half a byte of their picture. Who is
closed for being too slow comes again. The others ask at random times.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from run import ROOT, ask, export, free_port, ours, running, write_pictures

CONNECTIONS = 16


async def _slow_client(port: int, number: int, ended: asyncio.Event) -> None:
    head = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000\r\n\r\n"
    while not ended.is_set():
        try:
            reader, writer = await asyncio.open_connection("localhost", port)
            if number % 2:
                writer.write(head)
            for letter in head if number % 2 == 0 else bytes(5000):
                writer.write(bytes([letter]))
                await writer.drain()
                await asyncio.sleep(1)
                if ended.is_set() or reader.at_eof():
                    break
            writer.close()
        except OSError:
            await asyncio.sleep(1)


@contextmanager
def slow_clients(url: str, count: int) -> Iterator[None]:
    """So many of them meanwhile, in a thread."""
    port = urlsplit(url).port or 80
    loop = asyncio.new_event_loop()
    ended = asyncio.Event()

    async def all_of_them() -> None:
        await asyncio.gather(*(_slow_client(port, number, ended) for number in range(count)))

    thread = threading.Thread(target=loop.run_until_complete, args=(all_of_them(),))
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Slow clients and the others")
    parser.add_argument("--data", type=Path, required=True, help="a pack of Tiny ImageNet")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--clients", type=int, default=500)
    parser.add_argument("--rate", type=float, default=100, help="requests a second of the others")
    parser.add_argument("--work", type=Path, default=ROOT / ".cache" / "serve")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    pictures = write_pictures(options.data, options.work / "pictures")
    network = export("m4", options.data, options.work)["onnx"]
    found: dict[str, list[dict[str, float]]] = {"alone": [], "beside": []}
    port = free_port()
    with running([*ours(network), "--port", str(port)], port) as url:
        for _ in range(options.rounds):
            asked = (url, pictures, options.seconds, CONNECTIONS, options.rate)
            found["alone"].append(ask(*asked))
            with slow_clients(url, options.clients):
                found["beside"].append(ask(*asked))
    for name, rounds in found.items():
        print(f"{name}: {json.dumps(rounds)}", file=sys.stderr)
    ratios = [
        b["p99_ms"] / a["p99_ms"] for a, b in zip(found["alone"], found["beside"], strict=True)
    ]
    print(
        f"99th percentile alone {statistics.median(a['p99_ms'] for a in found['alone']):.1f} ms, beside "
        f"{options.clients} slow clients {statistics.median(a['p99_ms'] for a in found['beside']):.1f} ms: "
        f"{statistics.median(ratios):.2f} times ({min(ratios):.2f} .. {max(ratios):.2f}); "
        f"not answered: {sum(int(one['failures']) for rounds in found.values() for one in rounds)}"
    )

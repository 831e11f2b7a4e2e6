"""How many requests a server answers and how fast, beside ONNX Runtime alone and plain FastAPI with PyTorch.

    python benchmarks/serve/run.py --data PACK        # measure; needs Lilliput with the extras serve and export
    python benchmarks/serve/run.py --render           # the table of docs/serve.md

Server and client share the machine. What is measured stands in docs/serve.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PAGE = ROOT / "docs" / "serve.md"
MARKS = "<!-- measured: begin -->\n", "<!-- measured: end -->\n"
LOAD = 0.7
CONNECTIONS = {"full": 8, "load": 64}


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Every round has a turn of everything; who begins changes."""
    from lilliput.training.environment import processor

    work = options.work
    work.mkdir(parents=True, exist_ok=True)
    pictures = write_pictures(options.data, work / "pictures")
    files = export(options.network, options.data, work)
    rounds = []
    for number in range(options.rounds):
        turns = [
            ("alone", lambda: alone(files["onnx"], pictures, options.seconds)),
            ("lilliput", lambda: under_load(ours(files["onnx"]), pictures, options)),
            ("plain", lambda: under_load(plain(files["safetensors"]), pictures, options)),
        ]
        facts = {}
        for name, turn in turns[number % 3 :] + turns[: number % 3]:
            facts[name] = turn()
            print(f"round {number + 1}: {name}: {json.dumps(facts[name])}", file=sys.stderr)
        rounds.append(facts)
    return {
        "command": "python benchmarks/serve/run.py --data PACK "
        f"--rounds {options.rounds} --seconds {options.seconds:g}",
        "network": options.network,
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "rounds": rounds,
    }


def write_pictures(data: Path, folder: Path, count: int = 256) -> Path:
    """Validation images as JPEG files of 64x64 pixels."""
    from PIL import Image

    import lilliput

    folder.mkdir(exist_ok=True)
    for number, pixels in enumerate(lilliput.open_data(data)["val"].images[:count]):
        Image.fromarray(pixels).save(folder / f"{number:03}.jpeg", quality=90)
    return folder


def export(network: str, data: Path, work: Path) -> dict[str, Path]:
    """A network that was trained for a moment only, for that makes no difference to its speed."""
    run = work / network
    if not run.exists():
        few = ["data.limit=400", "training.epochs=1"]
        words = ["train", network, "--data", str(data), "--run", str(run), *few]
        subprocess.run([sys.executable, "-m", "lilliput", *words], check=True, stdout=sys.stderr)
    files = {}
    for form in ("onnx", "safetensors"):
        files[form] = work / f"{network}.{form}"
        if not files[form].exists():
            words = ["export", str(run), "--to", form, "--out", str(files[form])]
            subprocess.run(
                [sys.executable, "-m", "lilliput", *words], check=True, stdout=sys.stderr
            )
    return files


def alone(path: Path, pictures: Path, seconds: float) -> dict[str, float]:
    """Pictures a second that one process decodes and looks at, a thread per core, no server."""
    code = (
        "import sys, run; from pathlib import Path; "
        "print(run.look_alone(Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])))"
    )
    command = [sys.executable, "-c", code, str(path), str(pictures), str(seconds)]
    ended = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=HERE)
    return {"requests_per_second": float(ended.stdout)}


def look_alone(path: Path, pictures: Path, seconds: float) -> float:
    """What ``alone`` runs in a process of its own."""
    from lilliput.data.decode import decode
    from lilliput.delivery.classifier import Classifier
    from lilliput.delivery.sessions import OnnxSession

    classifier = Classifier.of_session(OnnxSession(path))
    bodies = [file.read_bytes() for file in sorted(pictures.iterdir())]

    def work(thread: int) -> int:
        done = 0
        while time.perf_counter() < end:
            classifier(decode(bodies[(done * 7 + thread) % len(bodies)], classifier.size)[None])
            done += 1
        return done

    threads = len(os.sched_getaffinity(0))
    end = time.perf_counter() + 1
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, range(threads)))  # to warm up
        began = time.perf_counter()
        end = began + seconds
        done = sum(pool.map(work, range(threads)))
    return done / (time.perf_counter() - began)


def under_load(command: list[str], pictures: Path, options: argparse.Namespace) -> dict[str, Any]:
    """As many requests as it answers, and then seventy in a hundred of them, at random times."""
    port = free_port()
    with running([*command, "--port", str(port)], port) as url:
        full = ask(url, pictures, options.seconds, CONNECTIONS["full"])
        rate = full["requests_per_second"] * LOAD
        return {
            "full": full,
            "load": ask(url, pictures, options.seconds, CONNECTIONS["load"], rate),
        }


def ours(path: Path) -> list[str]:
    """The command of ours."""
    return [sys.executable, "-m", "lilliput", "serve", str(path)]


def plain(path: Path) -> list[str]:
    """The command of what most people write."""
    return [sys.executable, str(HERE / "plain.py"), str(path)]


def ask(url: str, pictures: Path, seconds: float, connections: int, rate: float = 0) -> Any:
    """What the client measured, in a process of its own."""
    words = [
        "--pictures",
        pictures,
        "--seconds",
        seconds,
        "--connections",
        connections,
        "--rate",
        rate,
    ]
    command = [sys.executable, str(HERE / "client.py"), url, *map(str, words)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


@contextmanager
def running(command: list[str], port: int) -> Iterator[str]:
    """A server, from its first answer on; ended by SIGTERM."""
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
        try:
            yield wait_for(process, port)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=70)


def wait_for(process: subprocess.Popen[bytes], port: int) -> str:
    """Its address, once it answers."""
    url = f"http://localhost:{port}/"
    for _ in range(600):
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"{url}openapi.json"):
                return url
        except OSError:
            time.sleep(0.1)
    sys.exit(f"{process.args}: no answer")


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def render(results: dict[str, Any]) -> None:
    """The table of docs/serve.md."""
    rounds = results["rounds"]

    def told(place: str, digits: int = 0) -> str:
        values = [find(one, place) for one in rounds]
        middle, least, most = statistics.median(values), min(values), max(values)
        return f"{middle:,.{digits}f} ({least:,.{digits}f} to {most:,.{digits}f})"

    rows = [
        f"{results['network'].upper()}, pictures of 64x64 pixels, one a request; {results['processor']}, "
        f"{results['cores']} cores for server and client together; medians of {len(rounds)} "
        f"round{'s' if len(rounds) > 1 else ''} of `{results['command']}`, "
        "with their range:\n",
        "| | requests/s | at 70 % of that: median, ms | 99th percentile, ms | not answered |",
        "|---|---|---|---|---|",
        f"| ONNX Runtime alone, no server | {told('alone requests_per_second')} | | | |",
    ]
    for name, text in (("lilliput", "`lilliput serve`"), ("plain", "FastAPI with PyTorch")):
        failures = sum(one[name][part]["failures"] for one in rounds for part in ("full", "load"))
        rows.append(
            f"| {text} | {told(f'{name} full requests_per_second')} | {told(f'{name} load p50_ms', 1)} | "
            f"{told(f'{name} load p99_ms', 1)} | {failures} |"
        )
    share = [
        one["lilliput"]["full"]["requests_per_second"] / one["alone"]["requests_per_second"]
        for one in rounds
    ]
    rows.append(
        f"\nOf what ONNX Runtime does alone, the server reaches {100 * statistics.median(share):.0f} %.\n"
    )
    text = PAGE.read_text(encoding="utf-8")
    begin, end = MARKS
    measured = "\n".join(rows)
    text = re.sub(f"{begin}.*{end}", lambda _: f"{begin}\n{measured}\n{end}", text, flags=re.DOTALL)
    PAGE.write_text(text, encoding="utf-8")


def find(facts: Any, place: str) -> float:
    """A number deep inside."""
    for key in place.split():
        facts = facts[key]
    return facts


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Servers under load: docs/serve.md")
    parser.add_argument("--data", type=Path, help="a pack of Tiny ImageNet")
    parser.add_argument("--network", default="m4")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--work", type=Path, default=ROOT / ".cache" / "serve")
    parser.add_argument("--results", type=Path, default=HERE / "results.json")
    parser.add_argument("--render", action="store_true", help="only write the table")
    options = parser.parse_args()
    if options.render:
        render(json.loads(options.results.read_text(encoding="utf-8")))
    elif options.data is None:
        parser.error("--data is needed")
    else:
        results = measure(options)
        options.results.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")

"""Lilliput beside plain PyTorch, timm, Keras and fastai: the same networks, images, batch and augmentation, in turns.

    python benchmarks/peers/run.py --data tiny-imagenet-200        # measure, with Lilliput's own Python
    python benchmarks/peers/run.py --render                        # the table and the figure of docs/benchmarks.md

Every measurement is a process of its own; in a round everyone has one of each, and who begins changes from round to
round. What is measured, and how it is kept fair, stands in docs/benchmarks.md. Linux only: memory is read from /proc.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import time
import venv
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from memory import MemoryWatch
from render import render

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(
    0, str(ROOT / "src")
)  # this checkout's Lilliput, wherever another one is installed from

# What each peer installs; it sees PyTorch, numpy and Pillow of the Python that runs this, so all have the same ones.
PACKAGES = {
    "pytorch": ["torchvision"],
    "timm": ["timm==1.0.31", "torchvision"],
    "keras": ["keras==3.15.1"],
    "fastai": ["fastai==2.8.12", "torchvision"],
}
SHARED = ("torch", "numpy", "pillow")
PEERS = ("pytorch", "timm", "keras", "fastai", "lilliput")
# Whose loader asks how many processes (Keras: threads) it shall have: all of --workers are tried in the first round,
# then the best counts.
WITH_WORKERS = ("pytorch", "timm", "keras", "fastai")
# (warm-up, timed) steps of 64 images: enough for some seconds of everyone.
STEPS = {"train m1": (10, 90), "train m4": (1, 7), "load m1": (10, 90)}
QUICK_STEPS = {"train m1": (1, 3), "train m4": (1, 3), "load m1": (1, 3)}  # 256 images: 200 classes


class Bench:
    """Everything measured so far, written after every measurement."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.work: Path = options.work
        self.official: Path = options.data
        self.view = self.work / "classes" / "train"
        self.pack = self.work / "pack"
        self.threads = options.threads or len(os.sched_getaffinity(0))
        self.results: dict[str, Any] = {"measurements": [], "speedrun": []}

    def run(self) -> None:
        """The whole benchmark."""
        for peer in set(self.options.peers) & set(PACKAGES):
            make_environment(self.work / "venvs" / peer, PACKAGES[peer])
        self.view_classes()
        self.read_everything()
        self.results["about"] = self.about()
        for number in range(1, self.options.rounds + 1):
            self.round(number)
        for seed in range(1, self.options.seeds + 1):
            for recipe in self.options.speedrun:
                self.speedrun(recipe, seed)
        self.results["finished"] = now()
        self.save()

    def round(self, number: int) -> None:
        """Everyone's turn at everything; with Lilliput's own packing first, for the rest of it needs a pack."""
        first = number - 1
        order = self.options.peers[first:] + self.options.peers[:first]
        for peer in order:
            self.measure(number, peer, "scan")
        steps = QUICK_STEPS if self.options.quick else STEPS
        for what, (warmup, timed) in steps.items():
            action, network = what.split()
            for peer in order:
                for workers in self.workers(peer, action, network, number):
                    asked = {"warmup": warmup, "steps": timed, "workers": workers}
                    self.measure(number, peer, action, network=network, **asked)

    def workers(self, peer: str, action: str, network: str, number: int) -> list[int]:
        """How many loader processes to try: all in the first round, later the fastest of them."""
        if peer not in WITH_WORKERS:
            return [0]
        tried = [
            one
            for one in self.results["measurements"]
            if (one["peer"], one["action"], one.get("network")) == (peer, action, network)
            and one["round"] == 1
        ]
        if number == 1:
            return self.options.workers
        return [max(tried, key=lambda one: one["images_per_second"])["workers"]]

    def measure(self, number: int, peer: str, action: str, **asked: object) -> None:
        """One process of one peer; what it answers is kept."""
        scratch = self.work / "scratch"
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        words = [f"--{key}={value}" for key, value in asked.items()]
        data = self.pack if peer == "lilliput" else self.view
        words += [f"--data={data}", f"--source={self.official}", f"--scratch={scratch}"]
        words += [f"--seed={number}"]
        command = [str(self.python(peer)), str(HERE / f"with_{peer}.py"), action, *words]
        answer = self.ask(command)
        if peer == "lilliput" and action == "scan" and not self.pack.exists():
            (scratch / "pack").rename(self.pack)
        facts = {"round": number, "peer": peer, "action": action, **asked, **answer}
        self.results["measurements"].append(facts)
        self.save()
        rate = f"{answer['images_per_second']:,.0f} images/s, " if "warmup" in asked else ""
        say(f"round {number}: {peer} {action} {asked or ''}: {rate}{answer['seconds']:.1f} s")

    def speedrun(self, recipe: str, seed: int) -> None:
        """``lilliput train`` from start to end, as anyone would call it, after the packing."""
        name = Path(recipe).stem
        folder = self.work / "runs" / f"{name}-{seed}"
        shutil.rmtree(folder, ignore_errors=True)
        words = ["train", recipe, f"seed={seed}", "--json"]
        started = time.perf_counter()
        answer = self.ask(
            [
                *(sys.executable, "-m", "lilliput", *words),
                *("--data", str(self.pack), "--run", str(folder)),
            ]
        )
        seconds = time.perf_counter() - started
        facts = {
            "recipe": name,
            "seed": seed,
            "wall_seconds": seconds,
            **answer,
        }
        facts["run"] = folder.name
        self.results["speedrun"].append(facts)
        self.save()
        say(f"{name}, seed {seed}: {seconds:.1f} s, {answer['val_accuracy']:.4f} of val right")

    def ask(self, command: list[str]) -> dict[str, Any]:
        """The JSON that a command ends with, and the most memory that it had."""
        environment = {**os.environ, "OMP_NUM_THREADS": str(self.threads)}
        if command[0] == sys.executable:
            paths = [str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]
            environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
        with (self.work / "stderr.txt").open("w+", encoding="utf-8") as errors:
            process = subprocess.Popen(
                command, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True
            )
            with MemoryWatch(process.pid) as watch:
                output, _ = process.communicate()
            if process.returncode:
                errors.seek(0)
                sys.exit(f"{' '.join(command)}\nended with {process.returncode}:\n{errors.read()}")
        return {**json.loads(output.splitlines()[-1]), "memory_bytes": watch.most}

    def python(self, peer: str) -> Path:
        """Which Python a peer runs in."""
        return (
            Path(sys.executable)
            if peer == "lilliput"
            else self.work / "venvs" / peer / "bin" / "python"
        )

    def view_classes(self) -> None:
        """``train/CLASS`` for every class, as links: timm and fastai take the official ``images`` for the class."""
        self.view.mkdir(parents=True, exist_ok=True)
        for images in sorted((self.official / "train").glob("*/images")):
            link = self.view / images.parent.name
            if not link.exists():
                link.symlink_to(images.resolve(), target_is_directory=True)

    def read_everything(self) -> None:
        """Have every file in the system's cache, so that nobody waits for the disk."""
        say("reading every file once")
        for path in self.official.rglob("*.JPEG"):
            path.read_bytes()

    def about(self) -> dict[str, Any]:
        """On what, with what."""
        from lilliput.training.environment import processor

        versions = {name: version(name) for name in (*SHARED, "lilliput")}
        for peer, python in ((peer, self.python(peer)) for peer in PACKAGES):
            if python.exists():
                frozen = subprocess.run(
                    [python, "-m", "pip", "list", "--format=json", "--disable-pip-version-check"],
                    capture_output=True,
                    text=True,
                    check=True,
                )
                found = {one["name"].lower(): one["version"] for one in json.loads(frozen.stdout)}
                names = [name.partition("==")[0] for name in PACKAGES[peer]]
                versions |= {name: found[name] for name in names}
        git = ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"]
        commit = subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip()
        words = [Path(one).name if "/" in one else one for one in sys.argv]
        return {
            "began": now(),
            "command": " ".join(["python", "benchmarks/peers/run.py", *words[1:]]),
            "commit": commit,
            "processor": processor(),
            "cores": len(os.sched_getaffinity(0)),
            "threads": self.threads,
            "python": platform.python_version(),
            "versions": dict(sorted(versions.items())),
        }

    def save(self) -> None:
        """Keep what there is."""
        self.options.results.write_text(json.dumps(self.results, indent=1) + "\n", encoding="utf-8")


def make_environment(folder: Path, packages: list[str]) -> None:
    """A virtual environment with these packages, and what this Python has beneath them; left alone if it is there."""
    done = folder / "installed.txt"
    wanted = "\n".join(packages + [f"{name}=={version(name)}" for name in SHARED])
    if done.exists() and done.read_text() == wanted:
        return
    say(f"installing {' '.join(packages)}")
    shutil.rmtree(folder, ignore_errors=True)
    venv.create(folder, with_pip=True)
    (site,) = folder.glob("lib/python*/site-packages")
    import torch

    (site / "beneath.pth").write_text(f"{Path(torch.__file__).parents[1]}\n")
    constraints = folder / "constraints.txt"
    constraints.write_text("".join(f"{name}=={version(name)}\n" for name in SHARED))
    pip = [folder / "bin" / "python", "-m", "pip", "install", "--quiet"]
    subprocess.run([*pip, "--disable-pip-version-check", "-c", constraints, *packages], check=True)
    done.write_text(wanted)


def now() -> str:
    """The time, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def say(text: str) -> None:
    """How it goes."""
    print(text, file=sys.stderr, flush=True)


def read_options() -> argparse.Namespace:
    """What is asked for."""
    parser = argparse.ArgumentParser(description="Lilliput beside its peers: docs/benchmarks.md")
    parser.add_argument("--data", type=Path, help="the official folder, extracted")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="a few images, one round")
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=list(PEERS))
    parser.add_argument("--workers", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--threads", type=int, default=0, help="all cores, unless told")
    parser.add_argument("--speedrun", nargs="+", default=[], metavar="RECIPE", help="also time it")
    parser.add_argument("--seeds", type=int, default=1, help="of every speedrun")
    parser.add_argument("--work", type=Path, default=ROOT / ".cache" / "peers")
    parser.add_argument("--results", type=Path, default=HERE / "results.json")
    parser.add_argument("--render", action="store_true", help="only write table and figure")
    options = parser.parse_args()
    if options.quick:
        options.rounds = 1
    if not options.render and not (options.data and (options.data / "train").is_dir()):
        parser.error("--data must be the extracted folder, with train/ in it")
    options.work = options.work.resolve()
    return options


def pages() -> Iterator[Path]:
    """Where the table and the figure go."""
    yield ROOT / "docs" / "benchmarks.md"
    yield ROOT / "docs" / "images" / "peers.png"


if __name__ == "__main__":
    options = read_options()
    if options.render:
        render(json.loads(options.results.read_text(encoding="utf-8")), *pages())
    else:
        options.data = options.data.resolve()
        options.work.mkdir(parents=True, exist_ok=True)
        Bench(options).run()

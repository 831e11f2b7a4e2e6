"""What ``doctor`` says about this machine."""

from __future__ import annotations

import importlib.metadata
import os
import platform

PACKAGES = ("torch", "numpy", "simplejpeg", "Pillow", "cyclopts", "pydantic", "safetensors")


def describe_machine() -> dict[str, str]:
    """Versions, devices, threads, arithmetic, compiler, memory, the cache; every value is text for people."""
    import torch

    import lilliput
    from lilliput.training.environment import memory_bytes, processor, usable_cores
    from lilliput.training.memory import keep_freed_memory
    from lilliput.training.probe import compiler

    versions = ", ".join(f"{name} {_version(name)}" for name in PACKAGES)
    return {
        "lilliput": lilliput.__version__,
        "python": f"{platform.python_version()} ({platform.system()} {platform.machine()})",
        "packages": versions,
        "processor": f"{processor()}, {usable_cores()} of {os.cpu_count()} cores usable",
        "memory": _memory(memory_bytes()),
        "devices": ", ".join(_devices()),
        "threads": f"{torch.get_num_threads()}",
        "bf16": _bf16(),
        "fp32": "cuda: products round to TF32" if torch.cuda.is_available() else "whole",
        "compiler": compiler() or "none: training.step=compiled is not possible",
        "freed memory": "kept for the next step" if keep_freed_memory() else "up to the system",
        "cache": _cache(),
    }


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "missing"


def _memory(size: int | None) -> str:
    return "unknown" if size is None else f"{size / 2**30:.1f} GiB"


def _devices() -> list[str]:
    import torch

    names = [
        f"cuda:{index} ({torch.cuda.get_device_name(index)})"
        for index in range(torch.cuda.device_count())
    ]
    if torch.backends.mps.is_available():
        names.append("mps")
    return [*names, "cpu"]


def _bf16() -> str:
    """Whether bfloat16 arithmetic has its own instructions here; elsewhere it works, but slower than float32."""
    import torch

    capability = torch.backends.cpu.get_cpu_capability()
    flags = _cpu_flags()
    native = [name for name in ("amx_bf16", "avx512_bf16", "bf16") if name in flags]
    cpu = f"cpu {'native (' + ', '.join(native) + ')' if native else 'emulated'}, {capability}"
    if not torch.cuda.is_available():
        return cpu
    return f"cuda {'native' if torch.cuda.is_bf16_supported(including_emulation=False) else 'emulated'}; {cpu}"


def _cpu_flags() -> set[str]:
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            for line in file:
                if line.startswith(("flags", "Features")):
                    return set(line.partition(":")[2].split())
    except OSError:
        pass
    return set()


def _cache() -> str:
    from lilliput.data.home import home

    return str(home())

"""Throughput on this machine: Lilliput, plain PyTorch and the machine's own limits, in turns."""

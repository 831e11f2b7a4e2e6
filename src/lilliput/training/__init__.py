"""The engine: what a training runs on, its schedule, its optimizer, its loop, its checkpoints."""

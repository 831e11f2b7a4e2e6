"""What most people write: FastAPI, Pillow and PyTorch, one picture a request. Served by ``uvicorn``, as its pages say.

python plain.py WEIGHTS --port 9001
"""

from __future__ import annotations

import argparse
import io
from pathlib import Path

import numpy as np
import torch
import uvicorn
from fastapi import FastAPI, Request
from PIL import Image
from starlette.concurrency import run_in_threadpool

from lilliput.delivery.deliverable import deliverable_of_weights

app = FastAPI()


def look(body: bytes) -> list[dict[str, object]]:
    """The five most probable classes of a picture."""
    image = Image.open(io.BytesIO(body)).convert("RGB").resize((64, 64))
    pixels = torch.from_numpy(np.asarray(image)[None].copy())
    with torch.inference_mode():
        best = app.state.network(pixels)[0].topk(5)
    pairs = zip(best.values.tolist(), best.indices.tolist(), strict=True)
    return [{"class": app.state.classes[index], "probability": value} for value, index in pairs]


@app.post("/predict")
async def predict(request: Request) -> list[dict[str, object]]:
    """A picture as the body."""
    return await run_in_threadpool(look, await request.body())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Plain FastAPI and PyTorch")
    parser.add_argument("weights", type=Path, help="a .safetensors file of lilliput export")
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    network, description = deliverable_of_weights(options.weights)
    app.state.network, app.state.classes = network, description.classes
    uvicorn.run(app, port=options.port, access_log=False)

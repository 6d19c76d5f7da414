# Blocks of every quantised GGUF type and the float32 numbers that ggml's Python dequantiser makes of them.
# Made with: pip install gguf==0.19.0 numpy==2.4.6, then: python test/reference/gguf/formats.py > test/reference/gguf/formats.json
# Random bytes are blocks like any others; scales are set to what is hard: zero, subnormal, negative, the largest, infinite.
import base64
import json
from importlib.metadata import version

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType as T
from gguf.quants import dequantize

# Where a block has numbers of half precision.
halves = {
    "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "Q2_K": [80, 82], "Q3_K": [108], "Q4_K": [0, 2], "Q5_K": [0, 2],
    "Q6_K": [208], "Q8_K": [], "IQ4_NL": [0], "IQ4_XS": [0], "MXFP4": [],
}
scales = np.array([0.0, 2.0**-24, -(2.0**-24), 1023 * 2.0**-24, 2.0**-14, 65504, -65504, 0.01234, -1.5, -0.0, np.inf], np.float16)
rng = np.random.default_rng(16)

types = {}
for name, places in halves.items():
    size, count = GGML_QUANT_SIZES[T[name]]
    blocks = rng.integers(0, 256, (len(scales) + (8 if size == 32 else 3), count), np.uint8)
    for row, scale in enumerate(scales):
        for i, place in enumerate(places):
            blocks[row, place : place + 2] = np.array([scales[(row + 3 * i) % len(scales)]]).view(np.uint8)
    for row in range(len(scales), len(blocks)):
        for place in places:
            blocks[row, place : place + 2] = np.array([rng.normal() / 50], np.float16).view(np.uint8)
    if name == "MXFP4":
        blocks[:12, 0] = [0, 1, 2, 3, 100, 120, 126, 127, 128, 200, 253, 254]
    if name == "Q8_K":
        # The Python package has no dequantiser for it; ggml-quants.c: d in float32, then 256 signed bytes.
        d = np.resize(np.array([0, 1e-40, -1e-40, 3e38, -0.0, 0.0123, -7.5], np.float32), len(blocks))
        blocks[:, :4] = d.view(np.uint8).reshape(-1, 4)
        values = d[:, None] * blocks[:, 4:260].view(np.int8).astype(np.float32)
    else:
        with np.errstate(invalid="ignore"):
            values = dequantize(blocks.reshape(1, -1), T[name])
    assert values.dtype == np.float32
    types[name] = {"blocks": len(blocks), "bytes": base64.b64encode(blocks.tobytes()).decode(), "values": base64.b64encode(values.tobytes()).decode()}

print(json.dumps({"made_with": f"gguf {version('gguf')}, numpy {np.__version__}", "types": types}, indent=1))

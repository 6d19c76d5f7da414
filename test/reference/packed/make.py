"""Small packed matrices and what the methods' own code makes of them: reference.safetensors beside this file.

pip install torch==2.13.0 transformers==5.23 safetensors; compressed-tensors==0.20.1, loguru, frozendict with --no-deps.
AutoGPTQ 0.7.1 (a wheel) and AutoAWQ 0.2.9 (its source) are unpacked, not installed: only the files named here are loaded.

    python make.py UNPACKED_AUTO_GPTQ UNPACKED_AUTOAWQ
"""
import importlib.util
import logging
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

logging.disable(logging.WARNING)
gptq_folder, awq_folder = (Path(argument) for argument in sys.argv[1:3])


def module(file: Path):
    spec = importlib.util.spec_from_file_location(file.stem, file)
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


torch.manual_seed(16)
tensors: dict[str, torch.Tensor] = {}
OUT, IN = 32, 64


def words(*shape: int) -> torch.Tensor:
    return torch.randint(-(2**31), 2**31, shape, dtype=torch.int64).to(torch.int32)


def scales(*shape: int) -> torch.Tensor:
    return (0.01 + torch.rand(shape)).to(torch.float16)


def add(label: str, parts: dict[str, torch.Tensor], dense: torch.Tensor) -> None:
    for name, value in parts.items():
        tensors[f"{label}.{name}"] = value.contiguous()
    tensors[f"{label}.dense"] = dense.to(torch.float32).contiguous()


def stored_zeros(groups: int, bits: int) -> torch.Tensor:
    """Zero points less one, as a string of bits; none with all bits set, of which loaders make different things."""
    rows = []
    for _ in range(groups):
        line = sum(int(torch.randint(0, 2**bits - 1, ())) << (bits * i) for i in range(OUT))
        rows.append([(line >> (32 * word)) & 0xFFFFFFFF for word in range(OUT * bits // 32)])
    return torch.tensor(rows, dtype=torch.int64).to(torch.int32)


# GPTQ: any words are elements; a forward pass of the unit matrix gives what they stand for.
gptq = module(gptq_folder / "auto_gptq/nn_modules/qlinear/qlinear_cuda.py")
for bits in (2, 3, 4, 8):
    for group, mixed in ((32, False), (32, True), (-1, False)):
        layer = gptq.QuantLinear(bits, group, IN, OUT, False, weight_dtype=torch.float32)
        layer.qweight = words(*layer.qweight.shape)
        layer.qzeros = stored_zeros(layer.qzeros.shape[0], bits)
        factors = scales(*layer.scales.shape)
        layer.scales = factors.to(torch.float32)
        if mixed:
            layer.g_idx = layer.g_idx[torch.randperm(IN)]
        dense = layer(torch.eye(IN)).T
        add(f"gptq.{bits}.{group}.{'mixed' if mixed else 'plain'}", {"qweight": layer.qweight, "qzeros": layer.qzeros, "scales": factors, "g_idx": layer.g_idx}, dense)

awq = module(awq_folder / "awq/utils/packing_utils.py")
for group in (32, 64):
    qweight, qzeros, factors = words(IN, OUT // 8), words(IN // group, OUT // 8), scales(IN // group, OUT)
    dense = awq.dequantize_gemm(qweight, qzeros, factors.to(torch.float32), 4, group).T
    add(f"awq.4.{group}.plain", {"qweight": qweight, "qzeros": qzeros, "scales": factors}, dense)

from compressed_tensors.compressors.naive_quantized import NaiveQuantizationCompressor  # noqa: E402
from compressed_tensors.compressors.pack_quantized import PackedQuantizationCompressor  # noqa: E402
from compressed_tensors.quantization import QuantizationArgs, QuantizationScheme  # noqa: E402

for label, compressor, settings in (
    ("pack", PackedQuantizationCompressor, dict(num_bits=4, strategy="group", group_size=32, symmetric=True)),
    ("pack", PackedQuantizationCompressor, dict(num_bits=4, strategy="group", group_size=32, symmetric=False)),
    ("pack", PackedQuantizationCompressor, dict(num_bits=8, strategy="channel", symmetric=False)),
    ("naive", NaiveQuantizationCompressor, dict(num_bits=8, strategy="channel", symmetric=True)),
    ("naive", NaiveQuantizationCompressor, dict(num_bits=8, strategy="channel", symmetric=False)),
    ("naive", NaiveQuantizationCompressor, dict(num_bits=8, strategy="channel", symmetric=True, type="float")),
):
    args = QuantizationArgs(**settings)
    scheme = QuantizationScheme(targets=["Linear"], weights=args)
    groups = IN // args.group_size if args.group_size else 1
    low, high = -(2 ** (args.num_bits - 1)), 2 ** (args.num_bits - 1)
    factors = 0.01 + torch.rand(OUT, groups)
    zeros = torch.zeros(OUT, groups, dtype=torch.int8) if args.symmetric else torch.randint(low, high, (OUT, groups), dtype=torch.int8)
    weight = torch.randn(OUT, IN) * 3
    state = {"weight": weight, "weight_scale": factors, "weight_zero_point": zeros}
    packed = compressor.compress(state, scheme)
    dense = compressor.decompress(packed, scheme)["weight"]
    kind = getattr(args.type, "value", args.type)
    add(f"{label}.{args.num_bits}.{args.group_size or -1}.{kind}.{'symmetric' if args.symmetric else 'asymmetric'}", packed, dense)

# DeepSeek's blocks, smaller: the elements that torch makes of them, times their scales.
block = (16, 32)
elements = (torch.randn(OUT, IN) * 100).to(torch.float8_e4m3fn)
inverse = torch.rand(OUT // block[0], IN // block[1]) / 100
dense = elements.to(torch.float32) * inverse.repeat_interleave(block[0], 0).repeat_interleave(block[1], 1)
add("fp8.8.0.block", {"weight": elements, "weight_scale_inv": inverse}, dense)

# gpt_oss's experts, by transformers: [experts, in, out].
from transformers.integrations.mxfp4 import convert_moe_packed_tensors  # noqa: E402

experts, rows, groups = 2, 6, 2
blocks = torch.randint(0, 256, (experts, rows, groups, 16), dtype=torch.uint8)
exponents = torch.randint(110, 130, (experts, rows, groups), dtype=torch.uint8)
exponents[0, 0] = torch.tensor([0, 200])
tensors["mxfp4.gate_up_proj_blocks"] = blocks
tensors["mxfp4.gate_up_proj_scales"] = exponents
tensors["mxfp4.values"] = convert_moe_packed_tensors(blocks, exponents, dtype=torch.float32).contiguous()

save_file(tensors, Path(__file__).parent / "reference.safetensors")

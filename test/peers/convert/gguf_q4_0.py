"""gguf_q4_0.py FROM TO: a GGUF file in float32 with its matrices in Q4_0, the embedding in Q8_0, as llama-quantize has them where rows are
no multiple of 256 (its Q6_K does not go then)."""
import sys

import numpy
from gguf import GGMLQuantizationType, GGUFReader, GGUFValueType, GGUFWriter, LlamaFileType, quants

source, target = sys.argv[1:]
reader = GGUFReader(source)
architecture = reader.fields["general.architecture"].contents()
writer = GGUFWriter(target, architecture)
for name, field in reader.fields.items():
    if name.startswith("GGUF.") or name == "general.architecture":
        continue
    kind = field.types[0]
    value = int(LlamaFileType.MOSTLY_Q4_0) if name == "general.file_type" else field.contents()
    writer.add_key_value(name, value, kind, field.types[-1] if kind == GGUFValueType.ARRAY else None)
for tensor in reader.tensors:
    if len(tensor.shape) < 2:
        writer.add_tensor(tensor.name, numpy.array(tensor.data))
        continue
    kind = GGMLQuantizationType.Q8_0 if tensor.name in ("token_embd.weight", "output.weight") else GGMLQuantizationType.Q4_0
    writer.add_tensor(tensor.name, quants.quantize(numpy.array(tensor.data, dtype=numpy.float32), kind), raw_dtype=kind)
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()

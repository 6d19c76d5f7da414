"""openvino_model.py FROM TO fp32|fp16|int8|int4: a Hugging Face folder as Optimum makes it for openvino-genai."""
import os
import sys

# Nothing here sees pictures, and a torchvision built for another torch (CUDA's beside the CPU's) cannot be imported: there is none.
sys.modules["torchvision"] = None

from optimum.commands.optimum_cli import main  # noqa: E402

source, target, dtype = sys.argv[1:]
# Groups that widths of 576, 1536, 512 and 1408 are whole numbers of; all matrices in 4 bits, but the embedding and the head in 8.
options = ["--group-size", "64", "--ratio", "1.0"] if dtype == "int4" else []
sys.argv = ["optimum-cli", "export", "openvino", "--model", source, "--task", "text-generation-with-past", "--weight-format", dtype, *options, target]
# What is printed is told as an error's last words.
os.dup2(2, 1)
main()

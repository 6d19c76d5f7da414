"""genai.py FROM TO fp32|int4: a Hugging Face folder as onnxruntime-genai's own builder makes it for the CPU, that never ends by itself."""
import json
import pathlib
import subprocess
import sys
import tempfile

source, target, dtype = sys.argv[1:]
# int4 as the builder makes it for the CPU: blocks of 32, activations rounded to 8 bits.
options = ["--extra_options", "int4_block_size=32", "int4_accuracy_level=4"] if dtype == "int4" else []
with tempfile.TemporaryDirectory() as cache:
    subprocess.run([sys.executable, "-m", "onnxruntime_genai.models.builder", "-i", source, "-o", target, "-p", dtype, "-e", "cpu", "-c", cache, *options], check=True, stdout=sys.stderr)
# Answers are as long as asked for, whatever the model says. Some id has to end them: the last, which the driver's min_length keeps from being chosen.
file = pathlib.Path(target) / "genai_config.json"
config = json.loads(file.read_text())
config["model"]["eos_token_id"] = config["model"]["vocab_size"] - 1
file.write_text(json.dumps(config, indent=2))

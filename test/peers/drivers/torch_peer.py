"""torch through transformers: scaled_dot_product_attention, the last position's logits alone."""
import torch
import transformers
from transformers import AutoModelForCausalLM, DynamicCache
from peer import serve

model = None


def load(message):
    global model
    torch.set_num_threads(message["threads"])
    torch.set_num_interop_threads(1)
    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16}[message["settings"]["dtype"]]
    model = AutoModelForCausalLM.from_pretrained(message["model"], dtype=dtype, attn_implementation="sdpa", local_files_only=True).eval()
    return {
        "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
        "settings": {"dtype": str(dtype), "kv_cache": str(dtype), "attention": "sdpa", "threads": torch.get_num_threads(), "cpu_capability": torch.backends.cpu.get_cpu_capability()},
    }


@torch.inference_mode()
def run(ids, new_tokens, on_token):
    tokens = torch.tensor([ids])
    fed = tokens[0].tolist()
    cache = DynamicCache(config=model.config)
    for _ in range(new_tokens + 1):
        logits = model(input_ids=tokens, past_key_values=cache, use_cache=True, logits_to_keep=1).logits
        tokens = logits[:, -1:].argmax(-1)
        on_token(tokens.item())
    return fed


serve(load, run)

"""What transformers computes for the cases of cases.json: values.json.

    pip install torch==2.13.0 transformers==5.23.0 numpy
    python reference.py [CASE ...]      # only these, the others stay as they are

Weights are not stored: both sides make them of the tensors' names (see `weights`, and weights.ts). Stored are, for each case, the names and shapes
of transformers' own parameters, and logits: of the prompt's last token; of tokens decoded after it; the same with tokens pruned
after some blocks, where transformers' own modules run on the tokens kept, at their original positions; and what gradients say of each token.
"""
import json
import math
import re
import sys
from pathlib import Path

import numpy as np
import torch
import transformers
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText, DynamicCache
from transformers.modeling_outputs import BaseModelOutputWithPastAndCrossAttentions, MoeModelOutputWithPast
from transformers.models.bloom.modeling_bloom import _get_alibi_slopes

HERE = Path(__file__).parent
assert transformers.__version__ == "5.23.0", transformers.__version__


def uniform(name, count):
    """Numbers in [-1, 1): a hash of the name (FNV-1a) and the place (murmur3's finalizer)."""
    seed = np.uint32(2166136261)
    with np.errstate(over="ignore"):
        for byte in name.encode():
            seed = (seed ^ np.uint32(byte)) * np.uint32(16777619)
        h = seed + np.arange(count, dtype=np.uint32) * np.uint32(0x9E3779B9)
        h ^= h >> np.uint32(16)
        h *= np.uint32(0x85EBCA6B)
        h ^= h >> np.uint32(13)
        h *= np.uint32(0xC2B2AE35)
        h ^= h >> np.uint32(16)
    return h.astype(np.float64) / 2**31 - 1


def weights(name, shape, zero_centred):
    """As in weights.ts: norms near 1 (or 0 where the model adds 1), everything else so that activations stay near 1."""
    u = uniform(name, math.prod(shape))
    if re.search(r"(norm|ln_[12f])(\.weight|s\.\d+\.weight|.*layernorm\.weight)$", name) and len(shape) == 1 or re.search(r"[qk]_norm\.weight$", name):
        values = (0 if zero_centred else 1) + 0.3 * u
    elif name.endswith(".bias"):
        values = 0.3 * u
    elif re.search(r"_bias$|sinks$", name):
        values = (1.5 if name.endswith("sinks") else 0.5) * u
    elif re.search(r"embed|wte|wpe", name):
        values = (0.3 if zero_centred else 1.7) * u
    else:
        gain = 2.5 if re.search(r"([qk]_proj|qkv_proj|query_key_value|c_attn)\.weight$", name) else 1.7
        values = gain * u / math.sqrt(shape[1])
    return torch.from_numpy(values.astype(np.float32)).reshape(shape)


def build(raw):
    raw = dict(raw)
    config = AutoConfig.for_model(raw.pop("model_type"), **raw)
    if raw.get("layer_types") and config.model_type == "mistral":
        # What AutoConfig does with a file.
        config = AutoConfig.for_model("ministral", **raw)
    text = config.get_text_config()
    kind = AutoModelForImageTextToText if text is not config else AutoModelForCausalLM
    model = kind.from_config(config, attn_implementation="eager", experts_implementation="eager").eval().float()
    zero_centred = text.model_type.startswith("gemma")
    parameters = []
    for name, parameter in model.named_parameters():
        if not re.search(r"vision|visual|multi_modal", name):
            parameter.data = weights(name, tuple(parameter.shape), zero_centred)
            parameters.append([name, list(parameter.shape)])
    return model, text, parameters


def parts(model):
    """The decoder's layers, its last norm and its rotary embedding, whatever they are called."""
    inner = next(module for module in model.modules() if hasattr(module, "h") or hasattr(module, "layers") and hasattr(module, "rotary_emb"))
    if hasattr(inner, "h"):
        return inner, inner.h, inner.ln_f
    return inner, inner.layers, getattr(inner, "norm", None) or inner.final_layer_norm


def window_of(text, layer):
    types = getattr(text, "layer_types", None)
    if types is not None:
        return text.sliding_window if types[layer] == "sliding_attention" else None
    return text.sliding_window if text.model_type in ("mistral", "phi3", "starcoder2", "mixtral", "qwen3_moe") else None


def bias(queries, keys, window):
    distance = queries[:, None] - keys[None, :]
    allowed = distance >= 0
    if window is not None:
        allowed &= distance < window
    return torch.where(allowed, 0.0, float("-inf"))[None, None]


class Stepwise:
    """transformers' own modules, block by block, on any positions. `stages`: after which block which positions stay."""

    def __init__(self, model, text):
        self.model, self.text = model, text
        self.inner, self.layers, self.norm = parts(model)
        self.cache = DynamicCache()
        self.held = [torch.empty(0, dtype=torch.long) for _ in self.layers]

    def rotary(self, hidden, positions, layer):
        if hasattr(self.text, "rope_parameters") and any(k in self.text.rope_parameters for k in ("full_attention", "sliding_attention")):
            return self.inner.rotary_emb(hidden, positions, self.text.layer_types[layer])
        return self.inner.rotary_emb(hidden, positions)

    def embedded(self, ids, positions):
        """What the first block gets."""
        found = {}

        class Found(Exception):
            pass

        def stop(_, args, kwargs):
            found["hidden"] = args[0] if args else kwargs["hidden_states"]
            raise Found

        handle = self.layers[0].register_forward_pre_hook(stop, with_kwargs=True)
        try:
            self.model(input_ids=ids[None], use_cache=False, **({"position_ids": positions[None]} if self.text.model_type == "gpt2" else {}))
        except Found:
            pass
        handle.remove()
        return found["hidden"]

    def logits(self, hidden):
        """The model's own head, and what it does after it."""
        own = self.inner.forward
        kind = MoeModelOutputWithPast if any("experts" in name for name, _ in self.model.named_modules()) else BaseModelOutputWithPastAndCrossAttentions
        self.inner.forward = lambda *args, **kwargs: kind(last_hidden_state=hidden)
        try:
            return self.model(input_ids=torch.zeros(hidden.shape[:2], dtype=torch.long)).logits[0]
        finally:
            self.inner.forward = own

    def run(self, ids, positions, stages={}):
        hidden = self.embedded(ids, positions)
        length = int(positions[-1]) + 1
        for index, layer in enumerate(self.layers):
            # The last position stays: frequencies that depend on the length are those of the whole prompt.
            assert int(positions[-1]) + 1 == length
            keys = torch.cat([self.held[index], positions])
            given = {"layer_past" if self.text.model_type in ("gpt_neox", "bloom") else "past_key_values": self.cache}
            place = positions[None]
            if self.text.model_type == "bloom":
                given["alibi"] = _get_alibi_slopes(self.text.n_head, hidden.device)[:, None, None] * keys
            elif self.text.model_type != "gpt2":
                rotary = self.rotary(hidden, place[None].expand(3, -1, -1) if "_vl_" in self.text.model_type else place, index)
                given.update(position_embeddings=rotary, position_ids=place)
            result = layer(hidden, attention_mask=bias(positions, keys, window_of(self.text, index)), use_cache=True, **given)
            hidden = result if isinstance(result, torch.Tensor) else result[0]
            self.held[index] = keys
            if index in stages:
                stay = torch.isin(positions, torch.tensor(stages[index]))
                hidden, positions = hidden[:, stay], positions[stay]
        return self.logits(self.norm(hidden))


def anew_from(text):
    """The length after which phi3's generate computes its cache anew, by the frequencies of longer sequences."""
    return text.original_max_position_embeddings if text.model_type == "phi3" and text.rope_parameters["rope_type"] == "longrope" else math.inf


def as_generate(model, text, ids, choose):
    """The prompt's logits, and those of tokens after it. `choose`: all steps, or from logits and position the next one."""
    out = model(input_ids=ids[None], use_cache=True)
    first, rows, held, cache = out.logits[0, -1], [], ids, out.past_key_values
    steps = choose(first, len(held))
    steps = iter(steps) if isinstance(steps, list) else None
    logits = first
    while True:
        step = next(steps, None) if steps else choose(logits, len(held))
        if step is None or step is False:
            return first, rows
        before, held = len(held), torch.cat([held, step])
        anew = before <= anew_from(text) < len(held)
        out = model(input_ids=(held if anew else step)[None], past_key_values=None if anew else cache, use_cache=True)
        cache = out.past_key_values
        rows.extend(out.logits[0, -len(step) :])
        logits = rows[-1]


@torch.no_grad()
def values(case, common):
    ids = torch.tensor(common["prompt"])
    steps = [torch.tensor(step) for step in common["steps"]]
    model, text, parameters = build(case)
    prefill, decoded = as_generate(model, text, ids, lambda *_: steps)
    if anew_from(text) < math.inf:
        # It is what generate does.
        greedy = as_generate(model, text, ids, lambda logits, at: at < len(ids) + 5 and logits.argmax()[None])[1]
        own = model.generate(ids[None], attention_mask=torch.ones_like(ids[None]), max_new_tokens=6, min_new_tokens=6, do_sample=False, eos_token_id=None, pad_token_id=0)
        assert own[0, len(ids) + 1 :].tolist() == [int(row.argmax()) for row in greedy], case["model_type"]

    def stepwise(stages):
        # A model of its own: rotary embeddings that depend on the length remember the longest they have seen.
        run = Stepwise(*build(case)[:2])
        first = run.run(ids, torch.arange(len(ids)), stages)[-1]
        rows, held = [], ids
        for step in steps:
            at, held = len(held), torch.cat([held, step])
            if at <= anew_from(text) < len(held):
                # The same tokens are kept, and all that came after the prompt.
                run = Stepwise(*build(case)[:2])
                stay = {block: [*kept, *range(len(ids), len(held))] for block, kept in stages.items()}
                rows.extend(run.run(held, torch.arange(len(held)), stay)[-len(step) :])
            else:
                rows.extend(run.run(step, torch.arange(at, len(held))))
        return first, rows

    # What the block-by-block pass gives without pruning is what the model gives.
    first, rows = stepwise({})
    for a, b in zip([first, *rows], [prefill, *decoded]):
        assert (a - b).abs().max() <= 2e-5 * b.abs().max(), (case["model_type"], (a - b).abs().max(), b.abs().max())
    saliency = gradient_norms(model, ids, [stage["after"] for stage in common["stages"]])
    pruned, pruned_decoded = stepwise({stage["after"]: stage["kept"] for stage in common["stages"]})
    rounded = lambda row: [float(f"{value:.7g}") for value in row.tolist()]
    return {
        "tensors": collapsed(parameters),
        "prefill": rounded(prefill),
        "decode": [rounded(row) for row in decoded],
        "saliency": [rounded(row) for row in saliency],
        "pruned": rounded(pruned),
        "prunedDecode": [rounded(row) for row in pruned_decoded],
    }


@torch.enable_grad()
def gradient_norms(model, ids, blocks):
    """Of each token at the output of each block, the norm of the gradient of the mean cross-entropy of all next tokens."""
    outputs = {}

    def keep(index):
        def hook(module, args, result):
            outputs[index] = result if isinstance(result, torch.Tensor) else result[0]
            outputs[index].retain_grad()

        return hook

    handles = [parts(model)[1][index].register_forward_hook(keep(index)) for index in blocks]
    logits = model(input_ids=ids[None], use_cache=False).logits[0]
    torch.nn.functional.cross_entropy(logits[:-1], ids[1:]).backward()
    for handle in handles:
        handle.remove()
    return [outputs[index].grad[0].norm(dim=-1) for index in blocks]


def collapsed(parameters):
    """Names with * for the layer where all layers have the same."""
    layers = {m[2] for name, _ in parameters if (m := re.search(r"(layers|h)\.(\d+)\.", name))}
    shapes, counts = {}, {}
    for name, shape in parameters:
        pattern = re.sub(r"(layers|h)\.\d+\.", r"\1.*.", name, count=1)
        shapes.setdefault(pattern, shape)
        counts.setdefault(pattern, []).append(name)
    return {name: shape for pattern, shape in shapes.items() for name in ([pattern] if len(counts[pattern]) in (1, len(layers)) and pattern.count("*") == (len(counts[pattern]) > 1) else counts[pattern])}


def main():
    cases = json.loads((HERE / "cases.json").read_text())
    file = HERE / "values.json"
    known = json.loads(file.read_text())["cases"] if file.exists() else {}
    wanted = sys.argv[1:] or list(cases["cases"])
    result = {}
    for name, raw in cases["cases"].items():
        if name in wanted:
            print(name, flush=True)
            result[name] = values({**cases["common"], **raw}, cases)
        elif name in known:
            result[name] = known[name]
    lines = ",\n".join(f" {json.dumps(name)}: {json.dumps(value, separators=(',', ':'))}" for name, value in result.items())
    file.write_text(f'{{"transformers": "{transformers.__version__}", "torch": "{torch.__version__}", "cases": {{\n{lines}\n}}}}\n')


main()

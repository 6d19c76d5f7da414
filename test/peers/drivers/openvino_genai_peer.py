"""openvino-genai on the CPU, with the model that Optimum makes for it."""
import numpy
import openvino
import openvino_genai
from peer import serve

pipeline = None


def load(message):
    global pipeline
    settings = message["settings"]
    properties = {"INFERENCE_NUM_THREADS": message["threads"], "INFERENCE_PRECISION_HINT": settings["precision"], "ATTENTION_BACKEND": settings.get("attention", "PA")}
    if settings["precision"] == "f32":
        # Its own choice is 8 bits, which is no float32 run.
        properties["KV_CACHE_PRECISION"] = "f32"
    pipeline = openvino_genai.LLMPipeline(message["model"], "CPU", **properties)
    return {"versions": {"openvino-genai": openvino_genai.__version__, "openvino": openvino.__version__}, "settings": {**properties, "kv_cache": properties.get("KV_CACHE_PRECISION", "u8")}}


class Streamer(openvino_genai.StreamerBase):
    def __init__(self, on_token):
        super().__init__()
        self.on_token = on_token

    def write(self, token):
        for each in token if isinstance(token, list) else [token]:
            self.on_token(each)
        return openvino_genai.StreamingStatus.RUNNING

    def end(self):
        pass


def run(ids, new_tokens, on_token):
    prompt = numpy.array([ids], dtype=numpy.int64)
    inputs = openvino_genai.TokenizedInputs(openvino.Tensor(prompt), openvino.Tensor(numpy.ones_like(prompt)))
    config = openvino_genai.GenerationConfig()
    config.max_new_tokens = new_tokens + 1
    config.ignore_eos = True
    config.do_sample = False
    pipeline.generate(inputs, config, Streamer(on_token))
    return prompt[0].tolist()


serve(load, run)

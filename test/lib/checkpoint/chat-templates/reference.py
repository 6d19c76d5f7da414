"""What transformers makes of chat templates, beside this file in cases.json.

    pip install transformers==5.23.* jinja2==3.1.*
    python reference.py

`templates/` has templates in the manner of published ones, `snippets.txt` small pieces of Jinja, a line each (`\\n` is a line end).
Rendered as `apply_chat_template(tokenize=False)` does. strftime_now gives a fixed day here and in the test.
"""
import datetime
import json
import os

import jinja2
import transformers
from transformers.utils import chat_template_utils
from transformers.utils.chat_template_utils import render_jinja_template

assert transformers.__version__.startswith("5.23"), transformers.__version__
HERE = os.path.dirname(os.path.abspath(__file__))


class Day(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls(2026, 3, 5, 7, 8, 9)


chat_template_utils.datetime = Day

TOOL = {"type": "function", "function": {"name": "weather", "description": "The weather \"now\" in a <city> & more, é", "parameters": {"type": "object", "properties": {"city": {"type": "string", "description": "Name"}, "days": {"type": "integer", "enum": [1, 2]}}, "required": ["city"]}}}
CHATS = {
    "one": [{"role": "user", "content": "Hello there"}],
    "spaces": [{"role": "user", "content": "  padded \n\ufeff text\u00a0 "}],
    "system": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Who was Ahab?"}],
    "turns": [{"role": "system", "content": " You are kind. "}, {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello!"}, {"role": "user", "content": "And <b>then</b> & \"so\"?"}],
    "thinking": [{"role": "user", "content": "2+2?"}, {"role": "assistant", "content": "<think>\nEasy.\n</think>\n\n4"}, {"role": "user", "content": "3+3?"}],
    "assistant last": [{"role": "user", "content": "Say A"}, {"role": "assistant", "content": "A"}],
    "twice user": [{"role": "user", "content": "one"}, {"role": "user", "content": "two"}],
    "unknown role": [{"role": "critic", "content": "no"}],
}
SNIPPET_MESSAGES = [{"role": "system", "content": "S"}, {"role": "user", "content": " U "}, {"role": "assistant", "content": "A"}]
TOKENS = {"bos_token": "<s>", "eos_token": "</s>"}


def rendered(template, messages, add_generation_prompt, tools=None, **more):
    try:
        return {"text": render_jinja_template(conversations=[messages], chat_template=template, add_generation_prompt=add_generation_prompt, tools=tools, **TOKENS, **more)[0][0]}
    except (jinja2.exceptions.TemplateError, TypeError, ValueError, AttributeError, IndexError, KeyError, ZeroDivisionError) as error:
        return {"error": f"{type(error).__name__}: {error}"}


if __name__ == "__main__":
    folder = os.path.join(HERE, "templates")
    templates = {name: open(os.path.join(folder, name), encoding="utf-8").read() for name in sorted(os.listdir(folder))}
    chats = [
        {"template": name, "messages": messages, "addGenerationPrompt": add, **({"tools": [TOOL]} if tools else {}), **rendered(source, messages, add, [TOOL] if tools else None)}
        for name, source in templates.items() for messages in CHATS.values() for add in (True, False) for tools in (False, True) if not tools or len(messages) == 1
    ]
    with open(os.path.join(HERE, "snippets.txt"), encoding="utf-8") as file:
        snippets = [{"source": source, **rendered(source.replace("\\n", "\n"), SNIPPET_MESSAGES, True)} for source in file.read().split("\n") if source]
    with open(os.path.join(HERE, "cases.json"), "w") as out:
        out.write('{"messages":' + json.dumps(SNIPPET_MESSAGES) + ',\n"chats":[\n' + ",\n".join(map(json.dumps, chats)) + '\n],"snippets":[\n' + ",\n".join(map(json.dumps, snippets)) + "\n]}\n")

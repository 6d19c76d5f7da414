"""Parameters of TypeScript notebooks for papermill: -p, --inject-paths, --help-notebook.

papermill loads what packages register under ``papermill.engine`` when it starts; loading this module makes the
translator known. ``sdtp kernel install --papermill`` puts it beside papermill.
"""

import json
import math
import re

from papermill.engines import NBClientEngine as Engine  # noqa: F401  (papermill wants an engine from us)
from papermill.models import Parameter
from papermill.translators import Translator, papermill_translators

#: Integers that JavaScript's numbers hold exactly.
SAFE = 2**53 - 1


class TypeScriptTranslator(Translator):
    """Values as TypeScript expressions, declarations as parameters."""

    @classmethod
    def translate_none(cls, val):
        return "null"

    @classmethod
    def translate_int(cls, val):
        return str(val) if -SAFE <= val <= SAFE else f"{val}n"

    @classmethod
    def translate_float(cls, val):
        if math.isnan(val):
            return "NaN"
        if math.isinf(val):
            return "Infinity" if val > 0 else "-Infinity"
        return repr(val)

    @classmethod
    def translate_escaped_str(cls, str_val):
        # ASCII: TypeScript takes U+2028 in a string for the end of the line.
        return json.dumps(str(str_val))

    @classmethod
    def translate_list(cls, val):
        return f"[{', '.join(cls.translate(item) for item in val)}]"

    @classmethod
    def translate_dict(cls, val):
        # A key in brackets is one like any other, __proto__ too.
        return f"{{{', '.join(f'[{json.dumps(str(key))}]: {cls.translate(item)}' for key, item in val.items())}}}"

    @classmethod
    def comment(cls, cmt_str):
        return f"// {cmt_str}".strip()

    @classmethod
    def assign(cls, name, str_val):
        # Declared anew: the default may be a constant. Its type may be narrower than the value's, such as "fast" | "slow".
        return f"var {name}: any = {str_val};"

    @classmethod
    def inspect(cls, parameters_cell):
        source = parameters_cell["source"]
        return list(declarations(source if isinstance(source, str) else "".join(source)))


def declarations(source):
    """The variables that a cell declares, each with its type, the text of its default and the comment beside or above it."""
    above = ""
    for code, comment in statements(source):
        match = re.match(r"(?:export\s+)?(?:let|const|var)\s+(.*)", code, re.S)
        if match:
            for declaration in split(match.group(1), ","):
                found = re.match(r"([\w$]+)\s*!?\s*(?::(.*))?$", (parts := halves(declaration))[0].strip(), re.S)
                if found:
                    kind = " ".join((found.group(2) or "").split()) or inferred(parts[1])
                    yield Parameter(name=found.group(1), inferred_type_name=kind, default=parts[1].strip(), help=comment or above)
        above = comment if not code else ""


def halves(declaration):
    """A declaration in front of its ``=`` and behind it."""
    parts = split(declaration, "=")
    return parts[0], "=".join(parts[1:])


def inferred(value):
    """The type that a default has, where that is plain."""
    text = value.strip()
    if re.fullmatch(r"[-+]?(\d[\d_]*\.?\d*|\.\d+)(e[-+]?\d+)?|NaN|-?Infinity", text, re.I):
        return "number"
    if re.fullmatch(r"-?\d+n", text):
        return "bigint"
    if text in ("true", "false"):
        return "boolean"
    return "string" if re.fullmatch(r"\"(\\.|[^\"\\])*\"|'(\\.|[^'\\])*'|`(\\.|[^`\\])*`", text, re.S) else "None"


TOKEN = re.compile(r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'|`(?:\\.|[^`\\])*`|=>|[=!<>]=+|.", re.S)


def split(text, sign):
    """``text`` at each ``sign`` that stands in no bracket, string or comment."""
    parts, depth = [""], 0
    for token in TOKEN.findall(text):
        if token in "([{":
            depth += 1
        elif token in ")]}":
            depth -= 1
        # Angle brackets of types, Record<string, number>.
        elif token == "<" or (token == ">" and "<" in parts[-1]):
            depth += 1 if token == "<" else -1
        if token == sign and depth == 0:
            parts.append("")
        else:
            parts[-1] += token
    return parts


def statements(source):
    """The statements of a cell without comments, each with the comment behind it on its line; a comment alone is one without code."""
    code, depth, pending = "", 0, None
    for token in TOKEN.findall(source):
        if token.startswith(("//", "/*")):
            text = " ".join(line.strip().lstrip("*").strip() for line in token[2:].removesuffix("*/").split("\n")).strip(" /*")
            if depth > 0:
                continue
            if pending is not None:
                yield pending, text
                pending = None
            elif code.strip():
                yield code.strip(), text
                code = ""
            else:
                yield "", text
            continue
        if token == "\n" and pending is not None:
            yield pending, ""
            pending = None
        if token in "([{":
            depth += 1
        elif token in ")]}":
            depth -= 1
        ends = depth == 0 and (token == ";" or (token == "\n" and code.strip() and not re.search(r"[=,+\-*/|&?:<(\[{]\s*$", code)))
        if ends:
            if token == ";":
                pending = code.strip()
            else:
                yield code.strip(), ""
            code = ""
        else:
            if pending is not None and token.strip():
                yield pending, ""
                pending = None
            code += token
    if pending is not None:
        yield pending, ""
    if code.strip():
        yield code.strip(), ""


papermill_translators.register("sdtp", TypeScriptTranslator)
papermill_translators.register("typescript", TypeScriptTranslator)

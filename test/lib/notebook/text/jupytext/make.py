"""Writes mixed.ipynb, and the same notebook as jupytext writes it: mixed.percent (a .ts file) and mixed.markdown.
Another ending, so that no compiler reads them. `pip install jupytext==1.19.6`, then `python make.py` in this folder.
"""
import jupytext
import nbformat
v=nbformat.v4
def code(s, **m):
    c=v.new_code_cell(s); c.metadata.update(m); return c
def md(s, **m):
    c=v.new_markdown_cell(s); c.metadata.update(m); return c
def raw(s, **m):
    c=v.new_raw_cell(s); c.metadata.update(m); return c
cells=[
 md("# Title\n\nText **bold** é"),
 md("second text cell\n\n- a\n- b"),
 md("two\n\n\nblank lines"),
 md("```bash\nls\n```"),
 md("```ts\nconst x = 1\n```\nand ```typescript\n"),
 md("```typescript\nlet inside = 1\n```"),
 md("with meta", slideshow={"slide_type":"slide"}),
 md("    indented\n\n\n    code"),
 raw("raw text\nmore"),
 raw("\\LaTeX", raw_mimetype="text/latex"),
 code("let n: number = 1 // how many", tags=["parameters"]),
 code("const s = `a\n\n\nb`\ns"),
 code("%%javascript\nconst y = 2"),
 code("%%bash --login\nls"),
 code("%time x"),
 code("// %time commented"),
 code("  const indented = 1"),
 code(""),
 code("const t = '```'\n```\nodd"),
 code("titled()", title="A title here", tags=["a","b c"], name="x=y"),
 code("deep()", title="Deep", cell_depth=1),
 code("unicode('漢字 😀')", note={"k":"é\u2028 {=}"}),
 md("| a | b |\n|---|---|\n| 1 | 2 |"),
 code("console.log('end')\n"),
 md("```mermaid\n%% comment\ngraph\n```"),
 md("~~~\nfence\n~~~\n\n\nafter"),
 code("x;\n\n\ny;"),
 code("nulls", key=None, number=1.5, list=[1,{"a":None}], flag=True),
]
nb=v.new_notebook(cells=cells, metadata={"kernelspec":{"name":"sdtp","display_name":"TypeScript (sdtp)","language":"typescript"}})
for i, cell in enumerate(nb.cells):
    cell["id"] = f"cell-{i}"
nbformat.write(nb, "mixed.ipynb")
nb = nbformat.read("mixed.ipynb", 4)
for name, fmt in {"mixed.percent": "ts:percent", "mixed.markdown": "md"}.items():
    with open(name, "w", encoding="utf-8") as file:
        file.write(jupytext.writes(nb, fmt))


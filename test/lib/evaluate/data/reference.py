"""questions.parquet beside this file: records in the shape of SQuAD's and HotpotQA's, as the hub's own conversion to Parquet stores them.

    pip install pyarrow
    python reference.py
"""
import os

import pyarrow as pa
import pyarrow.parquet as pq

rows = [
    {"id": f"q{i}", "title": "Île — 島", "context": f"Context {i} with naïve text.", "question": f"Question {i}?", "count": i, "big": 2**40 + i, "share": i / 4,
     "answers": {"text": [] if i == 2 else [f"answer {i}", "日本"], "answer_start": [] if i == 2 else [i, 2 * i]}}
    for i in range(5)
]
pq.write_table(pa.Table.from_pylist(rows), os.path.join(os.path.dirname(os.path.abspath(__file__)), "questions.parquet"), compression="snappy", row_group_size=3)

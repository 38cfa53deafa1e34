"""Checks that pandas, pyarrow, DuckDB and Polars read the tables that albert writes, with the right types and values.

    python check_tables.py path/to/albert

Needs pandas, pyarrow, duckdb and polars (made with 3.1, 26.0, 2.0 and 2.1). The reference for predictions is albert's JSON
lines output, which the tests compare with transformers. Parquet is checked if albert was built with it.
"""

import csv
import datetime
import json
import math
import subprocess
import sys
import tempfile
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

ALBERT = sys.argv[1]
MODELS = Path(__file__).resolve().parent.parent / "tasks" / "models"
HARD = [
    "plain",
    "a, b",
    '"quoted"',
    "two\nlines",
    "carriage\r\nreturn",
    " spaces ",
    '5" disk; naïve café',
    "tab\there",
    "=1+1",
]


def albert(task, model, *flags, code=0):
    command = [ALBERT, task, "-q", "--device", "flex", "-m", str(MODELS / model), *map(str, flags)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == code, (command, done.returncode, done.stderr)
    return done


def lines(path):
    return [json.loads(line) for line in Path(path).read_text().splitlines()]


def near(a, b):
    return math.isclose(a, b, rel_tol=1e-6, abs_tol=1e-7)


def check_csv(folder, texts, kind):
    """Every reader gets the input cells unchanged, and the predictions with their values."""
    source = folder / "in.csv"
    with source.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "text"])
        writer.writerows([f"{i:03}", text] for i, text in enumerate(texts))
    table, plain = folder / f"out.{kind}", folder / "out.jsonl"
    albert("classify", "two", "-i", source, "-o", table)
    albert("classify", "two", "-i", source, "-o", plain)
    expected = lines(plain)
    labels = [record["predictions"][0]["label"] for record in expected]
    scores = [record["predictions"][0]["score"] for record in expected]
    names = ["id", "text", "label", "score"]

    def same(reader, columns, found):
        assert columns == names, (reader, columns)
        ids, own_texts, own_labels, own_scores = found
        assert ids == [f"{i:03}" for i in range(len(texts))], (reader, ids)
        assert own_texts == texts, (reader, own_texts)
        assert own_labels == labels, (reader, own_labels)
        assert all(isinstance(score, float) for score in own_scores), (reader, own_scores)
        assert all(map(near, own_scores, scores)), (reader, own_scores, scores)

    separator = "," if kind == "csv" else "\t"
    quotes = kind == "csv"
    frame = pd.read_csv(
        table, sep=separator, dtype={"id": str}, keep_default_na=False,
        quoting=csv.QUOTE_MINIMAL if quotes else csv.QUOTE_NONE, lineterminator=None if quotes else "\n",
    )
    same("pandas", list(frame.columns), [frame[name].tolist() for name in names])
    arrow = pa.csv.read_csv(
        table,
        parse_options=pa.csv.ParseOptions(delimiter=separator, quote_char='"' if quotes else False, newlines_in_values=quotes),
        convert_options=pa.csv.ConvertOptions(column_types={"id": pa.string()}),
    )
    assert arrow.schema.field("score").type == pa.float64()
    same("pyarrow", arrow.column_names, [arrow[name].to_pylist() for name in names])
    options = "" if quotes else ", quote='', escape=''"
    query = f"select * from read_csv('{table}', delim='{separator}', header=true, types={{'id': 'VARCHAR'}}{options})"
    relation = duckdb.sql(query)
    same("duckdb", relation.columns, [list(column) for column in zip(*relation.fetchall())])
    frame = pl.read_csv(
        table, separator=separator, quote_char='"' if quotes else None, schema_overrides={"id": pl.String},
        empty_string_is_null=False,
    )
    assert frame.schema["score"] == pl.Float64
    same("polars", frame.columns, [frame[name].to_list() for name in names])


def check_lists(folder):
    """Lists in cells are JSON that pandas and DuckDB parse."""
    source, table, plain = folder / "texts.csv", folder / "lists.csv", folder / "lists.jsonl"
    source.write_text("text\nParis rebuilt\na\n")
    for task, name in [("embed", "embedding"), ("ner", "entities")]:
        albert(task, "bio", "-i", source, "-o", table)
        albert(task, "bio", "-i", source, "-o", plain)
        for row, record in zip(pd.read_csv(table)[name].map(json.loads), lines(plain), strict=True):
            expected = record["predictions"]
            assert row == (expected[0]["embedding"] if task == "embed" else expected), (row, expected)
    albert("classify", "bio", "-i", source, "-o", table, "--top-k", 3)
    albert("classify", "bio", "-i", source, "-o", plain, "--top-k", 3)
    query = f"select unnest(from_json(label, '[\"VARCHAR\"]')), unnest(from_json(score, '[\"DOUBLE\"]')) from '{table}'"
    expected = [(p["label"], p["score"]) for record in lines(plain) for p in record["predictions"]]
    for (label, score), (own_label, own_score) in zip(duckdb.sql(query).fetchall(), expected, strict=True):
        assert label == own_label and near(score, own_score)


def typed_table():
    """Columns of many types, each with a null."""
    return pa.table(
        {
            "id": pa.array([1, None, 3], pa.int32()),
            "text": pa.array(["Paris rebuilt", "", "two\nlines"], pa.string()),
            "big": pa.array([2**63 - 1, None, -(2**63)], pa.int64()),
            "half": pa.array([0.1, None, float("nan")], pa.float32()),
            "flag": pa.array([True, None, False]),
            "day": pa.array([datetime.date(2020, 2, 29), None, datetime.date(1969, 1, 1)]),
            "at": pa.array([datetime.datetime(2020, 1, 2, 3, 4, 5, 678901), None, None], pa.timestamp("us", tz="UTC")),
            "money": pa.array([1, None, 3]).cast(pa.decimal128(10, 2)),
            "bytes": pa.array([b"\x00\xff", None, b""], pa.binary()),
            "kind": pa.array(["a", None, "b"]).dictionary_encode(),
            "list": pa.array([["x", None], None, []], pa.list_(pa.string())),
            "vector": pa.array([[1.0, 2.0], None, [3.0, 4.0]], pa.list_(pa.float32(), 2)),
            "struct": pa.array([{"a": 1, "b": "x"}, None, {"a": None, "b": "y"}]),
        }
    )


def check_parquet(folder):
    source, table, plain = folder / "in.parquet", folder / "out.parquet", folder / "out.jsonl"
    own = typed_table()
    pq.write_table(own, source, row_group_size=2)
    albert("classify", "two", "-i", source, "-o", table, "--on-error", "skip")
    albert("classify", "two", "-i", source, "-o", plain, "--on-error", "skip")
    predictions = [record["predictions"][0] for record in lines(plain)]
    found = pq.read_table(table)
    # The input columns keep their types and values.
    assert found.column_names == own.column_names + ["label", "score", "error"], found.column_names
    for name in own.column_names:
        assert found.schema.field(name).type == own.schema.field(name).type, (name, found.schema.field(name))
        assert found[name].combine_chunks().to_pylist() == own[name].combine_chunks().to_pylist() or name == "half", name
    assert str(found["half"].to_pylist()) == str(own["half"].to_pylist())
    assert found.schema.field("label").type == pa.string() and found.schema.field("score").type == pa.float32()
    assert found["label"].to_pylist() == [p["label"] for p in predictions]
    assert all(map(near, found["score"].to_pylist(), [p["score"] for p in predictions]))
    assert found["error"].null_count == 3
    frame = pd.read_parquet(table)
    assert frame["score"].dtype == "float32" and frame["label"].tolist() == found["label"].to_pylist()
    assert frame["id"].isna().tolist() == [False, True, False] and frame["day"][0] == datetime.date(2020, 2, 29)
    frame = pl.read_parquet(table)
    assert frame.schema["score"] == pl.Float32 and frame.schema["id"] == pl.Int32
    assert frame["text"].to_list() == own["text"].to_pylist() and frame["score"].to_list() == found["score"].to_pylist()
    relation = duckdb.sql(f"select id, text, score, list, struct from '{table}'")
    assert [str(kind) for kind in relation.types][:3] == ["INTEGER", "VARCHAR", "FLOAT"], relation.types
    assert [row[1] for row in relation.fetchall()] == own["text"].to_pylist()

    # Vectors are lists of a fixed size. Failed records have null.
    pq.write_table(pa.table({"text": pa.array(["Paris rebuilt", None, "a"], pa.string())}), source)
    albert("embed", "bio", "-i", source, "-o", table, "--on-error", "skip", code=1)
    albert("embed", "bio", "-i", source, "-o", plain, "--on-error", "skip", code=1)
    expected = [r["predictions"][0]["embedding"] if "predictions" in r else None for r in lines(plain)]
    found = pq.read_table(table)
    kind = found.schema.field("embedding").type
    assert pa.types.is_fixed_size_list(kind) and kind.list_size == len(expected[0]) and kind.value_type == pa.float32()
    for reader, vectors in [
        ("pyarrow", found["embedding"].to_pylist()),
        ("polars", [v if v is None else list(v) for v in pl.read_parquet(table)["embedding"].to_list()]),
        ("duckdb", [v if v is None else list(v) for (v,) in duckdb.sql(f"select embedding from '{table}'").fetchall()]),
        ("pandas", [v if v is None else list(v) for v in pd.read_parquet(table)["embedding"]]),
    ]:
        assert vectors[1] is None, reader
        for vector, own_vector in [(vectors[0], expected[0]), (vectors[2], expected[2])]:
            assert all(map(near, vector, own_vector)), reader
    assert found["error"].to_pylist() == [None, 'column "text" has no value', None]

    # Lists and entities.
    albert("classify", "bio", "-i", source, "-o", table, "--on-error", "skip", "--top-k", "all", code=1)
    found = pq.read_table(table)
    assert found.schema.field("label").type == pa.list_(pa.string())
    assert found.schema.field("score").type.value_type == pa.float32()
    albert("ner", "bio", "-i", source, "-o", table, "--on-error", "skip", code=1)
    albert("ner", "bio", "-i", source, "-o", plain, "--on-error", "skip", code=1)
    entities = pq.read_table(table)["entities"].to_pylist()
    for own_entities, record in zip(entities, lines(plain), strict=True):
        for entity, other in zip(own_entities or [], record.get("predictions", []), strict=True):
            assert {k: v for k, v in entity.items() if v is not None}.keys() == other.keys()
            assert entity["word"] == other["word"] and near(entity["score"], other["score"])

    # JSON lines get typed columns. CSV stays text.
    source = folder / "in.jsonl"
    source.write_text('{"text":"a","n":1,"x":0.5,"l":["b"]}\n{"text":"b","n":null,"x":2,"l":null,"o":{"k":1}}\n')
    albert("classify", "two", "-i", source, "-o", table)
    found = pq.read_table(table)
    kinds = [found.schema.field(name).type for name in ["text", "n", "x", "l", "o"]]
    assert kinds == [pa.string(), pa.int64(), pa.float64(), pa.list_(pa.string()), pa.string()], kinds
    assert found.select(["n", "x", "l", "o"]).to_pylist() == [
        {"n": 1, "x": 0.5, "l": ["b"], "o": None},
        {"n": None, "x": 2.0, "l": None, "o": '{"k":1}'},
    ]


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        check_csv(folder, HARD, "csv")
        print("CSV: pandas, pyarrow, DuckDB and Polars agree")
        check_csv(folder, [text for text in HARD if not {"\t", "\n", "\r"} & set(text)], "tsv")
        print("TSV: pandas, pyarrow, DuckDB and Polars agree")
        check_lists(folder)
        print("lists: pandas and DuckDB agree")
        probe = subprocess.run([ALBERT, "tokenize", "-q", "--format", "parquet", "a"], capture_output=True, text=True)
        if "built without" in probe.stderr:
            print("Parquet: not in this albert")
        else:
            check_parquet(folder)
            print("Parquet: pandas, pyarrow, DuckDB and Polars agree")


main()

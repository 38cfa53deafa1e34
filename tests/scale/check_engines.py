"""The recipes of docs/scale.md for engines in Python. Called by check.sh: check_engines.py ALBERT FOLDER EXAMPLES."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import threading
import time

albert, folder, examples = sys.argv[1:]
sys.path.insert(0, examples)
os.environ["PYTHONPATH"] = examples
from albert_pipe import Albert, AlbertError, MapBatches, map_in_pandas, map_partition  # noqa: E402

COMMAND = [albert, "classify", "--threads", "1"]
with open(os.path.join(folder, "reviews.jsonl")) as file:
    LINES = file.read().splitlines()
with open(os.path.join(folder, "expected.jsonl")) as file:
    EXPECTED = file.read().splitlines()
RECORDS = [json.loads(line) for line in EXPECTED]


def check(condition, what):
    if not condition:
        sys.exit("failed: " + what)


def close(a, b):
    return a["id"] == b["id"] and a["label"] == b["label"] and abs(a["score"] - b["score"]) < 1e-6


WANTED = [{"id": r["id"], **{k: r["predictions"][0][k] for k in ("label", "score")}} for r in RECORDS]


def same(rows, what):
    rows = [{k: row[k] for k in ("id", "label", "score")} for row in rows]
    check(len(rows) == len(WANTED) and all(map(close, rows, WANTED)), what + ": other output")


def installed(*names):
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    for name in missing:
        print("skipped: {} is not installed".format(name))
    return not missing


class PeakMemory:
    """Records the peak resident memory of each `albert` process while open, in MiB."""

    def __enter__(self):
        self.peaks = {}
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._done.set()
        self._thread.join()

    def _watch(self):
        while not self._done.wait(0.05):
            for process in filter(str.isdigit, os.listdir("/proc") if os.path.isdir("/proc") else []):
                try:
                    with open("/proc/{}/status".format(process)) as file:
                        fields = dict(line.partition(":")[::2] for line in file)
                except OSError:
                    continue
                # A process that exits in the meantime has no memory and may lose its name.
                if fields.get("Name", "").strip() == os.path.basename(albert)[:15] and "VmHWM" in fields:
                    self.peaks[process] = int(fields["VmHWM"].split()[0]) // 1024


def measure(spark):
    """Compares two tasks of one core each with one process on both cores. A measurement, not a test."""
    path = os.path.join(folder, "many.jsonl")
    many = int(os.environ.get("MANY", 20000))
    with open(path, "w") as file:
        for i in range(many):
            print(LINES[i % len(LINES)], file=file)
    started = time.time()
    alone = [albert, "classify", "--threads", "2", "-q", "-i", path, "-o", path + ".out"]
    subprocess.run(alone, check=True)
    single = time.time() - started
    lines = spark.sparkContext.textFile(path, 2)
    with PeakMemory() as memory:
        started = time.time()
        count = lines.pipe(" ".join(COMMAND + ["-q"]), checkCode=True).count()
        piped = time.time() - started
    check(count == many, "rdd.pipe: {} of {} records".format(count, many))
    check(memory.peaks or not os.path.isdir("/proc"), "rdd.pipe: no process was seen")
    print(
        "measured: {} records, one process {:.1f} s, rdd.pipe {:.1f} s (ratio {:.2f}), {} MiB per process at most".format(
            many, single, piped, single / piped, max(memory.peaks.values(), default=0)
        )
    )


def test_pipe():
    with Albert(COMMAND) as process:
        for start in range(0, len(LINES), 300):
            batch = [json.loads(line) for line in LINES[start : start + 300]]
            check(process.run(batch) == RECORDS[start : start + 300], "albert_pipe: other output")
        failed = process.run([{"text": "a"}, {"text": 5}, {"text": "b"}])
        check(["error" in record for record in failed] == [False, True, False], "albert_pipe: no error")
    try:
        with Albert([albert, "classify", "-m", "/absent"]) as process:
            process.run([{"text": "a"}])
        check(False, "albert_pipe: a failure is not seen")
    except AlbertError as error:
        check("/absent" in str(error), "albert_pipe: the reason is missing")
    print("passed: albert_pipe")


def test_spark():
    if not installed("pyspark", "pandas", "pyarrow"):
        return
    if not shutil.which("java") and not os.environ.get("JAVA_HOME"):
        print("skipped: pyspark needs Java")
        return
    from pyspark.sql import SparkSession

    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    spark = (
        SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .getOrCreate()
    )
    spark.sparkContext.setLogLevel("OFF")
    lines = spark.sparkContext.textFile(os.path.join(folder, "reviews.jsonl"), 4)
    piped = lines.pipe(" ".join(COMMAND + ["-q"]), checkCode=True).collect()
    check(piped == EXPECTED, "rdd.pipe: other output")
    print("passed: rdd.pipe")
    bad = spark.sparkContext.textFile(os.path.join(folder, "bad.jsonl"), 2)
    try:
        bad.pipe(" ".join(COMMAND + ["-q"]), checkCode=True).count()
        check(False, "rdd.pipe: a failed partition is not seen")
    except Exception as error:
        check("exited with status 1" in str(error) or "exit" in str(error).lower(), "rdd.pipe: " + str(error)[:500])
    print("passed: rdd.pipe fails")
    spark.sparkContext.addPyFile(os.path.join(examples, "albert_pipe.py"))
    frame = spark.read.json(os.path.join(folder, "reviews.jsonl")).repartition(4)
    labelled = frame.mapInPandas(map_in_pandas(COMMAND), "id long, text string, label string, score double")
    same([row.asDict() for row in labelled.orderBy("id").collect()], "mapInPandas")
    print("passed: mapInPandas")
    absent = frame.mapInPandas(
        map_in_pandas(COMMAND + ["-m", "/absent"]), "id long, text string, label string, score double"
    )
    try:
        absent.count()
        check(False, "mapInPandas: a failure is not seen")
    except Exception as error:
        check("AlbertError" in str(error), "mapInPandas: " + str(error)[:500])
    print("passed: mapInPandas fails")
    measure(spark)
    spark.stop()


def test_dask():
    if not installed("dask", "pandas"):
        return
    import dask.dataframe
    import pandas

    frame = pandas.DataFrame([json.loads(line) for line in LINES])
    parts = dask.dataframe.from_pandas(frame, npartitions=4)
    meta = frame.head(0).assign(label="", score=0.0)
    labelled = parts.map_partitions(map_partition(COMMAND), meta=meta).compute(scheduler="threads", num_workers=2)
    same(labelled.to_dict("records"), "Dask")
    print("passed: Dask")


def test_ray():
    if not installed("ray", "pandas", "pyarrow"):
        return
    import pandas
    import ray

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    frame = pandas.DataFrame([json.loads(line) for line in LINES])
    labelled = ray.data.from_pandas(frame).map_batches(
        MapBatches,
        fn_constructor_args=[COMMAND],
        batch_format="pandas",
        batch_size=500,
        compute=ray.data.ActorPoolStrategy(size=1),
    )
    same(labelled.to_pandas().sort_values("id").to_dict("records"), "Ray Data")
    print("passed: Ray Data")
    ray.shutdown()


test_pipe()
test_spark()
test_dask()
test_ray()

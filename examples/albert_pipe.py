"""Keep one `albert` process and exchange JSON lines with it. Needs Python 3.8 and nothing else.

    with Albert(["/usr/local/bin/albert", "classify", "-m", "/models/sst2", "--threads", "1"]) as albert:
        for result in albert.run([{"text": "A fine film."}, {"text": "Too long."}]):
            print(result["predictions"])

`run` sends a batch and returns the results of all its records, in their order. The model is loaded once per process.
"""

import json
import subprocess
import tempfile
import threading


class AlbertError(RuntimeError):
    """The process ended before the last result. The message holds what it wrote to stderr."""


class Albert:
    """An `albert` process. `command` is a list: the path of the program, the subcommand and its options.

    A record that cannot be processed gives {"error": ...} instead of ending the process.
    """

    def __init__(self, command):
        command = [*command, "--format", "jsonl", "--on-error", "skip", "--quiet"]
        self._messages = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._messages
        )

    def run(self, records):
        """Sends a list of dictionaries. Returns each with its predictions, in the same order."""
        lines = [json.dumps(record).encode() + b"\n" for record in records]
        # A thread writes while this one reads, so that no pipe fills up.
        writer = threading.Thread(target=self._send, args=(lines,))
        writer.start()
        results = []
        for _ in lines:
            line = self._process.stdout.readline()
            if not line:
                break
            results.append(json.loads(line))
        writer.join()
        if len(results) < len(lines):
            self._fail("{} of {} results".format(len(results), len(lines)))
        return results

    def close(self):
        """Ends the process."""
        self._process.stdin.close()
        self._process.stdout.close()
        # Exit code 1 says that some records hold an error, which is in their results.
        if self._process.wait() not in (0, 1):
            self._fail("a failure at the end")

    def _send(self, lines):
        try:
            for line in lines:
                self._process.stdin.write(line)
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # `run` reports it.

    def _fail(self, what):
        self._process.kill()
        code = self._process.wait()
        self._messages.seek(0)
        text = self._messages.read().decode(errors="replace").strip()
        raise AlbertError("albert gave {} (exit code {}): {}".format(what, code, text))

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if kind is None:
            self.close()
        else:
            self._process.kill()
            self._process.wait()


def first_predictions(albert, texts):
    """The first prediction of each text, or None where there is none."""
    results = albert.run([{"text": text} for text in texts])
    return [(result.get("predictions") or [None])[0] for result in results]


def with_labels(albert, frame, column="text"):
    """A pandas data frame with the columns `label` and `score`."""
    found = first_predictions(albert, frame[column].tolist())
    return frame.assign(
        label=[one and one["label"] for one in found], score=[one and one["score"] for one in found]
    )


def map_in_pandas(command, column="text"):
    """A function for Spark's `mapInPandas`: one process per task, which labels every batch of the task."""

    def run(frames):
        with Albert(command) as albert:
            for frame in frames:
                yield with_labels(albert, frame, column)

    return run


def map_partition(command, column="text"):
    """A function for Dask's `map_partitions`: one process per partition."""

    def run(frame):
        with Albert(command) as albert:
            return with_labels(albert, frame, column)

    return run


class MapBatches:
    """A class for Ray Data's `map_batches` with batch_format="pandas": one process per actor."""

    def __init__(self, command, column="text"):
        self._albert = Albert(command)
        self._column = column

    def __call__(self, frame):
        return with_labels(self._albert, frame, self._column)

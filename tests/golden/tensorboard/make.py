"""Writes run.tfevents for tests/training_log.rs with TensorBoard's own messages and record writer.

    pip install tensorboard==2.21.0
    python tests/golden/tensorboard/make.py

`python make.py read DIRECTORY` prints the scalars that TensorBoard sees in the event files of a directory.
"""

import pathlib
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter


def scalars(wall_time, step, *values):
    summary = Summary(value=[Summary.Value(tag=tag, simple_value=value) for tag, value in values])
    return Event(wall_time=wall_time, step=step, summary=summary)


def make(path):
    start = 1700000000.25
    with open(path, "wb") as file:
        writer = RecordWriter(file)
        for event in [
            Event(wall_time=start, file_version="brain.Event:2"),
            Event(wall_time=start, step=301, session_log=SessionLog(status=SessionLog.START)),
            scalars(start + 1, 310, ("train/loss", 2.5), ("learning rate", 1.76e-3)),
            scalars(start + 2, 320, ("train/loss", float("nan")), ("learning rate", 0.0)),
            scalars(start + 3, 0, ("größe", float("-inf")), ("", 1e30)),
            scalars(start + 4, 125000),
        ]:
            writer.write(event.SerializeToString())
        writer.flush()


def read(directory):
    accumulator = EventAccumulator(directory, size_guidance={"scalars": 0})
    accumulator.Reload()
    for tag in accumulator.Tags()["scalars"]:
        for event in accumulator.Scalars(tag):
            print(tag, event.step, event.wall_time, event.value)


if sys.argv[1:2] == ["read"]:
    read(sys.argv[2])
else:
    make(pathlib.Path(__file__).with_name("run.tfevents"))

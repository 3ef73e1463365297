"""What every row of the parity table is made of.

A row is a generator function in rows/NAME.py, decorated with `row(...)`. It gets a Context, draws fresh random
configurations from `context.random`, and yields one Case per comparison: what was compared and by how much the two sides
differ. An exact row yields the number of differing items and has the bar 0.
"""
import json
import pathlib
import subprocess
from dataclasses import dataclass, field
from random import Random
from typing import Callable, Iterator

ROWS = []


@dataclass
class Case:
    """One comparison. `difference` is judged against the row's bar; a NaN never passes."""
    name: str
    difference: float
    items: int = 1  # things compared within the case: strings, tensors, pixels


@dataclass
class Row:
    quantity: str
    reference: str
    bar: float
    cases: int  # drawn by default
    unit: str  # what a difference is: "bytes", "ids", "relative L2" ...
    function: Callable[["Context"], Iterator[Case]]
    module: str


def row(quantity, reference, bar, cases, unit):
    """Registers a generator function as a row of the table."""
    def register(function):
        ROWS.append(Row(quantity, reference, bar, cases, unit, function, function.__module__.rsplit(".", 1)[-1]))
        return function
    return register


class Unavailable(Exception):
    """The row cannot be measured here (a file or library is missing); the text says what to bring."""


@dataclass
class Context:
    seed: int
    cases: int
    build: pathlib.Path  # build folder of judo
    folder: pathlib.Path  # scratch, empty, the row's own
    data: pathlib.Path  # real files of other projects (JUDO_REALDATA), may be absent
    random: Random = field(init=False)

    def __post_init__(self):
        self.random = Random(self.seed)

    def real_file(self, name):
        """A path below the folder of real data."""
        path = self.data / name
        if not path.exists():
            raise Unavailable(f"{name} is not in the folder that JUDO_REALDATA names")
        return path

    def run(self, program, *arguments, text=None):
        """Runs a program of the build (`judo`, `judo_parity`, ...); gives its standard output."""
        path = self.build / "bin" / program
        if not path.exists():
            raise FileNotFoundError(f"{program} is not in {self.build}: build it first (cmake --build)")
        done = subprocess.run([path, *map(str, arguments)], input=text, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{program} {' '.join(map(str, arguments))} ended with {done.returncode}: {done.stderr.strip()[-2000:]}")
        return done.stdout

    def answers(self, program, *arguments, text=None):
        """The JSON lines that a program prints."""
        return [json.loads(line) for line in self.run(program, *arguments, text=text).split("\n") if line]

    def filter(self, program, *arguments, requests):
        """Sends requests as JSON lines through a filter; gives its answers."""
        lines = "".join(json.dumps(request) + "\n" for request in requests)
        answers = self.answers(program, *arguments, text=lines)
        if len(answers) != len(requests):
            raise RuntimeError(f"{program} answered {len(answers)} of {len(requests)} requests")
        return answers

"""What every row of the speed table is made of.

A module rows/NAME.py has a generator function `races(context)`. A race is one workload on the same inputs on both sides: a
function of judo's and one or more of the peers', each doing the work once and giving {quantity: seconds} and, under "outcome",
what it computed. The frame lets the sides take turns and compares medians; the peer's fastest variant counts.
"""
import json
import os
import pathlib
import subprocess
from dataclasses import dataclass, field
from typing import Callable, Optional

UNSUPPORTED = 16  # exit code of judo's programs: well-formed, but judo cannot do it
THREADS = int(os.environ.get("OMP_NUM_THREADS", "2"))


class Unavailable(Exception):
    """The race cannot be run here; the text says what is missing."""


@dataclass
class Race:
    name: str
    dtype: str  # "f32", "bf16" or "-"
    goals: dict  # quantity -> wanted ratio peer / judo; the race's lines of the table
    judo: Callable[[], dict]
    peers: dict  # variant -> function
    compare: Optional[Callable] = None  # (judo's outcome, a peer's) -> remark on how they agree
    repeat: Optional[int] = None  # at most so many turns, for long races


@dataclass
class Context:
    build: pathlib.Path  # build folder of judo
    folder: pathlib.Path  # scratch of the whole run: models and data, made once
    data: pathlib.Path  # real files of other projects (JUDO_REALDATA), may be absent
    dtypes: list
    servers: list = field(default_factory=list)

    def real_file(self, name):
        """A path below the folder of real data."""
        path = self.data / name
        if not path.exists():
            raise Unavailable(f"{name} is not in the folder that JUDO_REALDATA names")
        return path

    def program(self, name):
        path = self.build / "bin" / name
        if not path.exists():
            raise FileNotFoundError(f"{name} is not in {self.build}: build it first (cmake --build)")
        return path

    def run(self, program, *arguments):
        """Runs a program of the build to its end; gives its standard output."""
        done = subprocess.run([self.program(program), *map(str, arguments)], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{program} {' '.join(map(str, arguments))} ended with {done.returncode}: {done.stderr.strip()[-2000:]}")
        return done.stdout

    def serve(self, *arguments):
        """Starts a command of judo_bench_peer; gives a function that has it measure once."""
        server = Server([self.program("judo_bench_peer"), *map(str, arguments)])
        self.servers.append(server)
        return server.ask

    def close(self):
        for server in self.servers:
            server.close()
        self.servers.clear()


class Server:
    """A filter of judo that answers JSON lines, kept running between measurements."""

    def __init__(self, command):
        self.command = command
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def ask(self, **request):
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            text, code = self.process.stderr.read().strip(), self.process.wait()
            if code == UNSUPPORTED:
                raise Unavailable(text.rsplit(": ", 1)[-1])
            raise RuntimeError(f"{' '.join(map(str, self.command[1:3]))} ended with {code}: {text[-2000:]}")
        return json.loads(line)

    def close(self):
        if self.process.poll() is None:
            self.process.stdin.close()
            self.process.wait()

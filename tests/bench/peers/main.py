"""Runs the races and prints the table: row, judo, peer, ratio, goal, verdict."""
import argparse
import importlib
import multiprocessing
import os
import pathlib
import statistics
import sys
import tempfile
import time
import traceback

import frame

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent.parent
HEADS = ["row", "dtype", "judo", "peer", "peer's variant", "ratio", "goal", "verdict", "remark"]


def seconds(value):
    """A time with three digits."""
    for scale, unit in ((1, "s"), (1e-3, "ms"), (1e-6, "us")):
        if value >= scale:
            return f"{value / scale:.3g} {unit}"
    return f"{value:.2g} s"


def take_turns(race, repeat):
    """Times of both sides, in turns; the first turn warms up and gives the outcomes."""
    sides = {"judo": race.judo, **race.peers}
    times, remarks = {side: [] for side in sides}, []
    for turn in range(repeat + 1):
        for side, work in sides.items():
            answer = work()
            outcome = answer.pop("outcome", None)
            if turn > 0:
                times[side].append(answer)
            elif side == "judo":
                own_outcome = outcome
            elif race.compare:
                remarks.append(race.compare(own_outcome, outcome))
    return times, remarks[0] if remarks else ""


def judge(race, times, quantity, goal, remark):
    """One line of the table."""
    medians = {side: statistics.median(answer[quantity] for answer in answers) for side, answers in times.items()}
    own = medians.pop("judo")
    variant = min(medians, key=medians.get)
    ratio = medians[variant] / own
    verdict = "reached" if ratio >= goal else "short of the goal" if ratio >= 1 else "BEHIND"
    return [f"{race.name}: {quantity}", race.dtype, seconds(own), seconds(medians[variant]), variant, f"{ratio:.2f}", f"{goal:g}", verdict, remark]


def failure(name, dtype, error):
    """The line of a race that could not be run."""
    if isinstance(error, frame.Unavailable):
        return [name, dtype, "-", "-", "-", "-", "-", "not measured", str(error)[:120]]
    traceback.print_exception(error)
    return [name, dtype, "-", "-", "-", "-", "-", "ERROR", (str(error).splitlines() or [type(error).__name__])[0][:120]]


def run_module(name, options, folder, lines):
    """All races of one module, in a process of their own so that its memory goes with it."""
    context = frame.Context(build=options.build.resolve(), folder=folder, dtypes=options.dtypes,
                            data=pathlib.Path(os.environ.get("JUDO_REALDATA", ROOT.parent / "shared/data")))
    begin = time.monotonic()

    def show(cells):
        lines.put("| " + " | ".join(cells) + " |")
        print("| " + " | ".join(cells) + " |", flush=True)

    try:
        for race in importlib.import_module(f"rows.{name}").races(context):
            try:
                times, remark = take_turns(race, min(options.repeat, race.repeat or options.repeat))
                for quantity, goal in race.goals.items():
                    show(judge(race, times, quantity, goal, remark))
            except Exception as error:  # pylint: disable=broad-except
                show(failure(race.name, race.dtype, error))
            context.close()
    except Exception as error:  # pylint: disable=broad-except
        show(failure(name, "-", error))
    context.close()
    print(f"({name}: {time.monotonic() - begin:.0f} s)", file=sys.stderr, flush=True)


def main():
    names = sorted(path.stem for path in (HERE / "rows").glob("*.py"))
    parser = argparse.ArgumentParser(prog="tests/bench/peers/run", description=__doc__)
    parser.add_argument("--rows", nargs="+", default=names, metavar="NAME", choices=names, help=f"only these: {', '.join(names)}")
    parser.add_argument("--dtypes", nargs="+", default=["f32", "bf16"], choices=["f32", "bf16"])
    parser.add_argument("--repeat", type=int, default=5, metavar="N", help="turns of each race, after one that warms up (default 5)")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/cpu", help="build folder (default: build/cpu)")
    parser.add_argument("--scratch", type=pathlib.Path, help="keep models and data here and use those that are there (default: made anew)")
    parser.add_argument("--report", type=pathlib.Path, help="also write the table to this Markdown file")
    options = parser.parse_args()
    lines = ["| " + " | ".join(HEADS) + " |", "|" + "---|" * len(HEADS)]
    print(*lines, sep="\n", flush=True)
    fork = multiprocessing.get_context("fork")
    with tempfile.TemporaryDirectory(prefix="judo-peers-") as temporary:
        folder = options.scratch or pathlib.Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for name in options.rows:
            queue = fork.Queue()
            process = fork.Process(target=run_module, args=(name, options, folder, queue))
            process.start()
            process.join()
            while not queue.empty():
                lines.append(queue.get())
    if options.report:
        head = f"{time.strftime('%Y-%m-%d %H:%M')}, {frame.THREADS} threads, medians of up to {options.repeat} turns; ratio = peer / judo\n\n"
        options.report.write_text(head + "\n".join(lines) + "\n", encoding="utf-8")
    return 1 if any("| ERROR |" in line for line in lines) else 0


if __name__ == "__main__":
    sys.exit(main())

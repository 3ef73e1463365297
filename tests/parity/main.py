"""Runs the rows and prints the table: quantity, reference, cases, worst difference, bar."""
import argparse
import importlib
import math
import os
import pathlib
import sys
import tempfile
import time
import traceback

import frame

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent


def load_rows(wanted):
    """Imports rows/*.py; `wanted` limits them to some modules."""
    names = sorted(path.stem for path in (HERE / "rows").glob("*.py"))
    unknown = set(wanted) - set(names)
    if unknown:
        sys.exit(f"parity: no rows '{', '.join(sorted(unknown))}'; there are: {', '.join(names)}")
    for name in names:
        if not wanted or name in wanted:
            importlib.import_module(f"rows.{name}")


def measure(row, options, folder):
    """Runs one row; gives its line of the table and whether it holds."""
    context = frame.Context(seed=options.seed, cases=options.cases or row.cases, build=options.build.resolve(), folder=folder,
                            data=pathlib.Path(os.environ.get("JUDO_REALDATA", ROOT.parent / "shared/data")))
    begin, worst, count, items, worst_name = time.monotonic(), 0.0, 0, 0, ""
    try:
        for case in row.function(context):
            count, items = count + 1, items + case.items
            if not case.difference <= worst:
                worst, worst_name = case.difference, case.name
            if math.isnan(worst):
                break
    except frame.Unavailable as reason:
        return [row.quantity, row.reference, "-", "not measured", f"{row.bar:g} {row.unit}", str(reason)], True
    except Exception as error:  # pylint: disable=broad-except
        traceback.print_exc()
        return [row.quantity, row.reference, str(count), "error", f"{row.bar:g} {row.unit}", str(error).splitlines()[0][:80]], False
    holds = count > 0 and worst <= row.bar
    note = f"{time.monotonic() - begin:.0f} s" + (f"; worst: {worst_name}" if worst > 0 or not holds else "")
    cases = f"{count}" if items == count else f"{count} ({items} items)"
    return [row.quantity, row.reference, cases, f"{worst:.2g}" + ("" if holds else " FAILED"), f"{row.bar:g} {row.unit}", note], holds


def main():
    parser = argparse.ArgumentParser(prog="tests/parity/run", description=__doc__)
    parser.add_argument("--cases", type=int, default=0, metavar="N", help="cases of each row (default: the row's own number)")
    parser.add_argument("--seed", type=int, default=int(time.time()), metavar="S", help="draws the configurations (default: the clock)")
    parser.add_argument("--rows", nargs="+", default=[], metavar="NAME", help="only these files of tests/parity/rows")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/cpu", help="build folder (default: build/cpu)")
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="cpu", help="where judo's models compute (default: cpu)")
    parser.add_argument("--report", type=pathlib.Path, help="also write the table to this Markdown file")
    options = parser.parse_args()
    os.environ["JUDO_PARITY_DEVICE"] = "" if options.device == "cpu" else options.device
    load_rows(options.rows)
    heads = ["quantity", "reference", "cases", "worst difference", "bar", "note"]
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    print(f"seed {options.seed}", *lines, sep="\n", flush=True)
    failed = 0
    for row in frame.ROWS:
        with tempfile.TemporaryDirectory(prefix="judo-parity-") as folder:
            cells, holds = measure(row, options, pathlib.Path(folder))
        failed += not holds
        lines.append("| " + " | ".join(cells) + " |")
        print(lines[-1], flush=True)
    if options.report:
        options.report.write_text(f"Seed {options.seed}\n\n" + "\n".join(lines) + "\n", encoding="utf-8")
    print(f"{len(frame.ROWS) - failed} rows hold, {failed} do not")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

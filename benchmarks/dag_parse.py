"""What it costs to parse each DAG file, over what Airflow itself costs: `python benchmarks/dag_parse.py`.

Every start of a task parses its DAG file again, so a file has to stay under 0.2 seconds. Each file is parsed in a
process of its own that has imported Airflow and parsed a plain DAG with the same features, best of five. With a lower
share of the processor the figures grow; the column "plain" shows by how much.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
MOST_SECONDS = 0.2
REPEATS = 5
HEAVY = [
    "torch", "transformers", "peft", "sentence_transformers", "weaviate", "unstructured", "great_expectations",
    "kubeflow", "kubernetes", "spacy", "pandas", "scipy", "ir_measures", "numpy", "psycopg",
]  # fmt: skip
PLAIN = """
from airflow.sdk import DAG, Asset, AssetOrTimeSchedule, CronDataIntervalTimetable, Param, TaskGroup, task

schedule = AssetOrTimeSchedule(timetable=CronDataIntervalTimetable("0 2 * * *", "UTC"), assets=[Asset("plain://a/b")])
with DAG("plain", schedule=schedule, params={"a": Param(None, type=["null", "integer"])}):
    first = task.short_circuit(task_id="first")(lambda: 1)()
    first >> [task(task_id=f"t{n}")(lambda: 1)() for n in range(15)] >> task.branch(task_id="last")(lambda: "x")()
"""
MEASURE = """
import gc, json, sys, time
from airflow.dag_processing.dagbag import DagBag
import airflow.sdk
plain, file, heavy = sys.argv[1:]
DagBag(plain, bundle_path=plain)
before, seconds = set(sys.modules), []
for path in (plain, file):
    gc.collect()  # else one pause over all that Airflow has imported falls on whichever file comes last
    start = time.perf_counter()
    bag = DagBag(path, bundle_path=path)
    seconds.append(time.perf_counter() - start)
    assert bag.import_errors == {}, bag.import_errors
new = [name for name in json.loads(heavy) if name in set(sys.modules) - before]
print(json.dumps({"plain": seconds[0], "seconds": seconds[1], "dags": len(bag.dags), "heavy": new}))
"""


def measure(plain: Path, file: Path, home: Path) -> dict[str, object]:
    """The fastest of some parses of one file, each in a process of its own."""
    environment = {**os.environ, "AIRFLOW_HOME": str(home), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
    command = [sys.executable, "-c", MEASURE, str(plain), str(file), json.dumps(HEAVY)]
    runs = []
    for _ in range(REPEATS):
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
        runs.append(json.loads(done.stdout.splitlines()[-1]))
    return min(runs, key=lambda run: run["seconds"])


def main() -> int:
    """Print the table. 1 if a file is too slow or imports something heavy."""
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        bundle = Path(folder)
        for name in ("knowledge_bases", "adapters"):
            (bundle / name).symlink_to(ROOT / "examples/handbook" / name)
        plain = bundle / "plain_dag.py"
        plain.write_text(PLAIN)
        print(f"{'file':<22}{'DAGs':>5}{'seconds':>10}{'plain':>10}  heavy modules")
        for source in sorted((ROOT / "dags").glob("*.py")):
            file = bundle / source.name
            file.write_text(source.read_text())
            found = measure(plain, file, bundle / "airflow")
            print(
                f"{file.name:<22}{found['dags']:>5}{found['seconds']:>10.3f}{found['plain']:>10.3f}  {found['heavy']}"
            )
            failed |= bool(found["heavy"]) or found["seconds"] > MOST_SECONDS  # type: ignore[operator]
    print(f"Each file should stay under {MOST_SECONDS} seconds and import nothing heavy.")
    return int(failed)


if __name__ == "__main__":
    raise SystemExit(main())

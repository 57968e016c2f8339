#!/usr/bin/env python3
"""The race: elanus against the libraries of the field, on the same machine, in the same sitting.

    python3.11 -m venv venv && venv/bin/pip install -r bench/requirements.txt
    cargo build --release
    venv/bin/python bench/peers.py build --data FOLDER --work WORK                # indexes of all libraries, kept in WORK; an hour
    venv/bin/python bench/peers.py explore --work WORK --ours ''                  # what each setting finds; at any time
    venv/bin/python bench/peers.py race --work WORK --elanus target/release/elanus
    venv/bin/python bench/peers.py page --work WORK > docs/benchmarks.md

FOLDER holds the sets that bench/sets.py names. Every library is a process of its own with its index loaded. Each first says, once, what every value of its
search parameter finds; those around the wanted recalls are then timed in rounds: ours one pass, each library one pass, and again. Medians of the
rounds are interpolated (log-linear) on the front of recall and speed. Searches have one thread and one query a call; where a library has a call for many
queries on one thread, the faster of the two counts for it, so that Python's call overhead does not count against it.

`--named WORD` keeps a race beside others of the same set, under that word, so that some libraries can be raced by themselves; each race is one sitting.
`--alone CMD` names a command that runs its arguments with the machine to itself; passes are timed only under it, `--lease` seconds at a time.
"""
import argparse
import contextlib
import json
import os
import subprocess
import sys
import time

import libraries
import page
import sets

# Large pages for everybody; threads that wait actively would count as work.
ENVIRONMENT = dict(os.environ, OMP_WAIT_POLICY="PASSIVE", GLIBC_TUNABLES="glibc.malloc.hugetlb=1")
HERE = os.path.dirname(os.path.abspath(__file__))
WANTED = (0.90, 0.95, 0.99)
# Ours: a name, the sets it runs on and what `elanus bench --index` is told. {lists} and {parts} as for the others.
OURS = {
    "HNSW": "HNSW M=16 efConstruction=200",
    "HNSW_SQ 4 bits": "HNSW_SQ M=16 efConstruction=200 sq_type=SQ4U refine=true refine_k=3",
    "HNSW_SQ 8 bits": "HNSW_SQ M=16 efConstruction=200 sq_type=SQ8",
    "IVF_FLAT": "IVF_FLAT nlist={lists}",
    "IVF_SQ8": "IVF_SQ8 nlist={lists}",
    "IVF_PQ": "IVF_PQ nlist={lists} m={parts} nbits=4 refine=true refine_k=2,5,12",
    "IVF_RABITQ": "IVF_RABITQ nlist={lists} refine=true refine_k=2,5,12",
    "SCANN": "SCANN nlist={lists} reorder_k=18,25,40",
    "FLAT": "FLAT",
}
# The same of sets of bits.
OURS_BITS = {"HNSW": "HNSW M=16 efConstruction=200", "BIN_FLAT": "BIN_FLAT"}
PROBES = ",".join(map(str, libraries.PROBES))


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("do", choices=["build", "explore", "race", "page"])
    options.add_argument("--work", required=True, help="where prepared sets, indexes and results are kept")
    options.add_argument("--data", help="the folder of the sets")
    options.add_argument("--sets", default=",".join(sets.SETS))
    options.add_argument("--peers", default=",".join(libraries.GRAPHS | libraries.LISTS | libraries.FLAT))
    options.add_argument("--ours", default=",".join(OURS))
    options.add_argument("--k", default="10,100")
    options.add_argument("--elanus", default="target/release/elanus")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--threads", type=int, default=2, help="threads of builds")
    options.add_argument("--named", default="")
    options.add_argument("--alone", default="")
    options.add_argument("--lease", type=float, default=80.0)
    options = options.parse_args()
    for word in ("sets", "peers", "ours"):
        setattr(options, word, [name for name in getattr(options, word).split(",") if name])
    options.k = [int(k) for k in options.k.split(",")]
    if options.do == "build":
        build(options)
    elif options.do in ("explore", "race"):
        for name in options.sets:
            race(options, name)
    else:
        print(page.text(options.work), end="")


def build(options):
    for name in options.sets:
        sets.prepare(options.data, options.work, name)
        for peer in options.peers:
            if not os.path.exists(f"{options.work}/indexes/{name}+{peer}.json"):
                run = [sys.executable, f"{HERE}/worker.py", "build", options.work, name, peer, str(options.threads)]
                subprocess.run(run, check=True, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                print(f"{name} {peer} built", flush=True)


class Peer:
    """A library in its own process."""

    def __init__(self, work, name, peer):
        self.name, self.known = peer, f"{work}/indexes/{name}+{peer}"
        with open(f"{self.known}.json", encoding="ascii") as file:
            self.cost = json.load(file)
        command = [sys.executable, f"{HERE}/worker.py", "serve", work, name, peer]
        environment = dict(ENVIRONMENT, OMP_NUM_THREADS="1")
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment)
        self.points = {}
        self.cost["memory_bytes"] = self.ask(do="memory", k=10, points=None)["memory_bytes"]

    def ask(self, **asked):
        self.process.stdin.write(json.dumps(asked) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError(f"{self.name} has gone away")
        return json.loads(answer)

    def explore(self, k):
        # What a setting finds is settled once for an index.
        kept = f"{self.known}.k{k}.json"
        if not os.path.exists(kept):
            said = self.ask(do="recall", k=k, points=None)
            with open(kept, "w", encoding="ascii") as file:
                json.dump(said, file)
        with open(kept, encoding="ascii") as file:
            said = json.load(file)
        self.points[k] = [dict(point, each=[], together=[]) for point in chosen(said["points"])]

    def timed(self, k):
        points = self.points[k]
        for point, measured in zip(points, self.ask(do="pass", k=k, points=[point["point"] for point in points])["points"]):
            point["each"].append(measured["each"])
            if measured["together"]:
                point["together"].append(measured["together"])

    def close(self):
        self.process.stdin.close()
        self.process.wait()

    def said(self):
        return dict(name=self.name, package=libraries.ALL[self.name][0].package if hasattr(libraries.ALL[self.name][0], "package") else "faiss-cpu",
                    cost=self.cost, points=self.points)


class Ours:
    """`elanus bench`, started anew for each pass, with its index kept in a folder."""

    def __init__(self, options, name, kind):
        self.name, self.points, self.cost = kind, {}, {}
        rows = sets.load(options.work, name, mapped=True)[0]
        self.text = (OURS_BITS if name in sets.BINARY else OURS)[kind].format(lists=libraries.lists(len(rows)), parts=rows.shape[1] // 2)
        metric = (sets.SETS | sets.BINARY)[name][3]
        self.base = [options.elanus, "bench", "--data", sets.path(options.work, name, "train"), "--queries", sets.path(options.work, name, "test"), "--metric", metric,
                     "--threads", str(options.threads), "--cache", f"{options.work}/ours", "--keep", "--rounds", "1", "--json", "-"]
        if metric == "HAMMING":
            self.base += ["--element", "bits"]

    def bench(self, k, text):
        said = json.loads(subprocess.run([*self.base, "--k", str(k), "--index", text], check=True, capture_output=True, text=True, env=ENVIRONMENT).stdout)["indexes"][0]
        points = [dict(point=point["search"], recall=point["recall"], rough=point["queries_s"]) for point in said["runs"][0]["points"]]
        return said, points

    def explore(self, k):
        text = self.text if "reorder_k" not in self.text or k < 100 else self.text.replace("18,25,40", "150,250,400")
        if k >= 100:
            text = text.replace("refine_k=2,5,12", "refine_k=1,3")
        if k >= 100 and text.startswith("HNSW"):
            # As for the others, from as many candidates as results.
            text += " ef=" + ",".join(str(k * percent // 100) for percent in (100, 112, 128, 160, 200, 256, 320, 400))
        if "_k=" in text and "nlist" in text:
            text += f" nprobe={PROBES}"
        said, points = self.bench(k, text)
        self.cost = {key: said[key] for key in ("build_cpu_s", "build_s", "threads", "disk_bytes")}
        self.cost["memory_bytes"] = said["memory_bytes"] + said["row_bytes"]
        self.cost["beside_rows_bytes"] = said["memory_bytes"]
        self.fixed = self.text.split()[0] + "".join(" " + word for word in self.text.split()[1:] if "," not in word)
        self.points[k] = [dict(point, each=[], together=[]) for point in chosen(points)]

    def timed(self, k):
        # One search parameter that varies is tried in one process; several are tried one by one.
        points = self.points[k]
        names = {word.split("=")[0] for point in points for word in point["point"].split()}
        if len(names) == 1:
            values = ",".join(point["point"].split("=")[1] for point in points)
            texts = [f"{self.fixed} {names.pop()}={values}" + ("," if len(points) == 1 else "")]
        else:
            texts = [f"{self.fixed} {point['point']}" for point in points] if names else [self.fixed]
        measured = []
        for text in texts:
            measured += self.bench(k, text.rstrip(","))[1]
        for point, one in zip(points, measured):
            point["each"].append(one["rough"])

    def close(self):
        pass

    def said(self):
        return dict(name=self.name, package="elanus", cost=self.cost, points=self.points, told=self.text)


def chosen(points):
    """Those of the explored points that decide the speed at the wanted recalls: on the front of recall and rough speed, or close to it, around each."""
    front, best = [], 0.0
    for point in sorted(points, key=lambda point: -point["recall"]):
        # Speeds are rough still: who is nearly on the front is kept. With one parameter, more effort is always slower.
        if is_one_parameter(point) or point["rough"] > 0.85 * best:
            front.append(point)
            best = max(best, point["rough"])
    front.reverse()
    keep = []
    for wanted in WANTED:
        below = [point for point in front if point["recall"] < wanted][-2 if len(front) > 8 else -1:]
        above = [point for point in front if point["recall"] >= wanted][:2 if len(front) > 8 else 1]
        keep += below[-1:] + above[:1] if is_one_parameter(front[0]) else below + above
    return [point for point in front if any(point is kept for kept in keep)]


def is_one_parameter(point):
    return isinstance(point["point"], int) or isinstance(point["point"], str) and " " not in point["point"]


@contextlib.contextmanager
def alone(command):
    """The machine to ourselves, if there is a way to have it."""
    if not command:
        yield
        return
    wait = "import sys; print('alone', flush=True); sys.stdin.read()"
    process = subprocess.Popen([*command.split(), sys.executable, "-c", wait], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    process.stdout.readline()
    try:
        yield
    finally:
        process.stdin.close()
        process.wait()


def race(options, name):
    is_bits = name in sets.BINARY
    ours = OURS_BITS if is_bits else options.ours
    peers = libraries.BINARY if is_bits else options.peers
    runners = [Ours(options, name, kind) for kind in ours] + [Peer(options.work, name, peer) for peer in peers]
    for runner in runners:
        for k in options.k:
            runner.explore(k)
            print(f"{name} {runner.name} k={k}: {[(point['point'], round(point['recall'], 4)) for point in runner.points[k]]}", flush=True)
    if options.do == "explore":
        return [runner.close() for runner in runners]
    turns = [(runner, "timed", k) for _ in range(options.rounds) for k in options.k for runner in runners]
    while turns:
        with alone(options.alone):
            until = time.monotonic() + options.lease
            while turns and time.monotonic() < until:
                runner, do, k = turns.pop(0)
                start = time.monotonic()
                getattr(runner, do)(k)
                print(f"{name} {runner.name} k={k} {do} {time.monotonic() - start:.1f} s", flush=True)
    said = dict(set=name, named=options.named, rounds=options.rounds, when=time.strftime("%Y-%m-%d %H:%M"), alone=bool(options.alone), runners=[runner.said() for runner in runners])
    for runner in runners:
        runner.close()
    os.makedirs(f"{options.work}/results", exist_ok=True)
    with open(f"{options.work}/results/{name}{'+' + options.named if options.named else ''}.json", "w", encoding="ascii") as file:
        json.dump(said, file, indent=1)


if __name__ == "__main__":
    main()

"""The page of results, docs/benchmarks.md, out of what the races have left: tables, and each goal with how far it is met or missed."""
import glob
import json
import math
import os
import platform
import statistics
from importlib import metadata

import libraries
import sets

WANTED = (0.90, 0.95, 0.99)
GRAPHS = ("HNSW", "HNSW_SQ 4 bits", "HNSW_SQ 8 bits", "AUTOINDEX")
LISTS = {"IVF_FLAT": "faiss-ivf-flat", "IVF_SQ8": "faiss-ivf-sq8", "IVF_PQ": "faiss-ivf-pq-fastscan", "IVF_RABITQ": "faiss-ivf-rabitq", "SCANN": "scann"}


def rate(point):
    return max(statistics.median(rounds) for rounds in (point["each"], point.get("together")) if rounds)


def rate_each(point):
    """With one query a call, Python's part of the call included."""
    return statistics.median(point["each"])


def at(points, recall, rate=rate):
    """Queries a second at a recall, log-linear on the front; None where no point reaches it."""
    front, best = [], 0.0
    for point in sorted(points, key=lambda point: -point["recall"]):
        if rate(point) > best:
            best = rate(point)
            front.append((point["recall"], best))
    front.reverse()
    if not front or front[-1][0] < recall:
        return None
    for (low, fast), (high, slow) in zip(front, front[1:]):
        if low <= recall <= high:
            part = (recall - low) / max(high - low, 1e-9)
            return math.exp(math.log(fast) * (1 - part) + math.log(slow) * part)
    return front[0][1]


class Race:
    """What one set's race has left."""

    def __init__(self, said):
        self.said, self.runners = said, {runner["name"]: runner for runner in said["runners"]}
        self.name = said["set"]

    def speed(self, name, k, recall, rate=rate):
        runner = self.runners.get(name)
        points = runner and runner["points"].get(str(k))
        return at(points, recall, rate) if points else None

    def best(self, names, k, recall):
        """The fastest of `names`, and its speed."""
        found = [(self.speed(name, k, recall), name) for name in names]
        found = [one for one in found if one[0]]
        return max(found) if found else (None, None)

    def cost(self, name, key):
        return self.runners[name]["cost"].get(key)

    def is_ours(self, name):
        return self.runners[name]["package"] == "elanus"


def number(value, digits=0):
    return "-" if value is None else f"{value:,.{digits}f}"


def table(race, k):
    lines = [f"| k = {k} | 0.90 | 0.95 | 0.99 | build, CPU-s | memory, MB | on disk, MB |", "| --- | ---: | ---: | ---: | ---: | ---: | ---: |"]
    order = sorted(race.runners, key=lambda name: -(race.speed(name, k, 0.95) or race.speed(name, k, 0.90) or 0))
    for name in order:
        speeds = [number(race.speed(name, k, recall)) for recall in WANTED]
        costs = [number(race.cost(name, "build_cpu_s"), 1)] + [number((race.cost(name, key) or 0) / 1e6) for key in ("memory_bytes", "disk_bytes")]
        mark = f"**Elanus {name}**" if race.is_ours(name) else name
        lines.append("| " + " | ".join([mark, *speeds, *costs]) + " |")
    return lines


def verdict(ours, wanted, what):
    if ours is None:
        return f"{what}: not reached"
    return f"{what}: {ours:.2f}x, " + ("met" if ours >= wanted else f"missed ({ours / wanted:.0%} of the goal)")


def quotient(a, b):
    return a / b if a and b else None


def goals(race):
    lines = []
    peers = [name for name in libraries.GRAPHS if name in race.runners]
    mine = [name for name in GRAPHS if name in race.runners]
    for k in (10, 100):
        for recall in (0.95, 0.99):
            (ours, which), (theirs, peer) = race.best(mine, k, recall), race.best(peers, k, recall)
            if theirs:
                memory = f"{race.cost(which, 'memory_bytes') / 1e6:.0f} MB against {race.cost(peer, 'memory_bytes') / 1e6:.0f} MB" if which else ""
                said = verdict(quotient(ours, theirs), 1.2, f"fastest graph ({which}) against the fastest library ({peer}), k = {k}, recall {recall}, goal 1.2x; {memory}")
                more = race.cost(which, "memory_bytes") / race.cost(peer, "memory_bytes") - 1 if which else 0
                lines.append(said + (f", with {more:.0%} more memory (goal: no more)" if more > 0.005 else ""))
    for peer in ("hnswlib", "faiss-hnsw"):
        if peer not in race.runners:
            continue
        lean = [name for name in mine if race.cost(name, "memory_bytes") <= race.cost(peer, "memory_bytes")]
        for k, recall in ((10, 0.95), (10, 0.99), (100, 0.95), (100, 0.99)):
            theirs = race.speed(peer, k, recall)
            if theirs is None:
                continue
            what = f"graph at no more memory than {peer}, k = {k}, recall {recall}, goal 2x"
            if lean:
                ours, which = race.best(lean, k, recall)
                lines.append(verdict(quotient(ours, theirs), 2.0, f"{what} ({which})"))
            elif mine:
                least = min(mine, key=lambda name: race.cost(name, "memory_bytes"))
                more = race.cost(least, "memory_bytes") / race.cost(peer, "memory_bytes") - 1
                times = quotient(race.speed(least, k, recall), theirs)
                lines.append(f"{what}: missed, the leanest ({least}) needs {more:.0%} more memory" + (f" and is {times:.2f}x as fast" if times else ""))
    if "hnswlib" in race.runners and mine:
        lines.append(verdict(quotient(race.cost("hnswlib", "build_cpu_s"), race.cost(mine[0], "build_cpu_s")), 2.0, f"build of {mine[0]} against hnswlib's, CPU time, goal 2x less"))
    for name, peer in LISTS.items():
        if name not in race.runners or peer not in race.runners:
            continue
        for recall in (0.95, 0.99):
            ours, theirs = race.speed(name, 10, recall), race.speed(peer, 10, recall)
            if theirs:
                each = quotient(race.speed(name, 10, recall, rate_each), race.speed(peer, 10, recall, rate_each))
                each = f"; {each:.2f}x if {peer}, too, is asked one query a call" if each and each > 1.05 * ours / theirs else ""
                lines.append(verdict(quotient(ours, theirs), 1.5, f"{name} against {peer}, k = 10, recall {recall}, goal 1.5x") + each)
            else:
                lines.append(f"{name} against {peer}, k = 10, recall {recall}: {'only ours reaches it' if ours else 'neither reaches it'}")
        lines.append(verdict(quotient(race.cost(peer, "build_cpu_s"), race.cost(name, "build_cpu_s")), 2.0, f"build of {name} against {peer}'s, CPU time, goal 2x less"))
    if "FLAT" in race.runners and "faiss-flat" in race.runners:
        lines.append(verdict(quotient(race.speed("FLAT", 10, 1.0), race.speed("faiss-flat", 10, 1.0)), 1.0, "FLAT against faiss-flat, one query a call, goal 1x"))
    if "BIN_FLAT" in race.runners and "faiss-binary-flat" in race.runners:
        lines.append(verdict(quotient(race.speed("BIN_FLAT", 10, 1.0), race.speed("faiss-binary-flat", 10, 1.0)), 1.0, "BIN_FLAT against faiss-binary-flat, goal 1x"))
    return lines


def processor():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        name = next((line.split(":")[1].strip() for line in file if line.startswith("model name")), platform.processor())
    return f"{name}, {os.cpu_count()} cores"


def filters(work):
    """The race of bench/filter_peers.py, one table a set."""
    out = []
    for path in sorted(glob.glob(f"{work}/results/filters-*.json")):
        with open(path, encoding="utf-8") as file:
            out += filter_table(json.load(file))
    if not out:
        return []
    return ["## Filters", "", "Written by `bench/filter_peers.py`; commands at its top.", "", *out]


def filter_table(said):
    middle = [(statistics.median(run["recall"] for run in runs), statistics.median(run["rate"] for run in runs)) for runs in said["ours"]]
    libraries_raced = ", ".join(f"{peer} {version}" for peer, version in said["versions"].items())
    out = [f"### {said['set']}", "", f"Queries a second on one core at the first setting with recall@10 of {said['enough']} or more, {said['queries']} queries, medians of {said['rounds']} rounds, "
           f"{said['when']}; in brackets the recall, where no setting tried reached it the best. Ours is HNSW with M 16 and ef {said['ef']} for all masks, no other parameter changed. "
           f"Against {libraries_raced}; the first two search and filter in C++ (usearch with the kernels its headers have), without a call into Python for a query.", ""]
    out += ["| rows that match | Elanus | of unfiltered | " + " | ".join(said["peers"]) + " | ahead of the best |", "| --- |" + " ---: |" * (len(said["peers"]) + 3)]
    found, free = middle[0]
    out.append(f"| all | {free:,.0f} ({found:.3f}) | 1 |" + " |" * (len(said["peers"]) + 1))
    for at, mask in enumerate(said["masks"]):
        found, rate = middle[at + 1]
        cells, best = [], 0.0
        for runs in said["peers"].values():
            speed = statistics.median(runs[at]["rates"])
            cells.append(f"{speed:,.0f} ({runs[at]['recall']:.3f})")
            best = max(best, speed if runs[at]["recall"] >= said["enough"] else 0.0)
        ahead = f"{rate / best:.2f}x" if best else "none reaches it"
        out.append(f"| {mask['name']}: {mask['rows']:,} | {rate:,.0f} ({found:.3f}) | {rate / free:.2f} | " + " | ".join(cells) + f" | {ahead} |")
    return out + [""]


def text(work):
    out = ["# Benchmarks", "", "Written by `bench/peers.py page` and `bench/filter_peers.py` out of what they measured; do not edit. How it is measured is said at the top of these files.", ""]
    races = [Race(json.load(open(file, encoding="ascii"))) for file in sorted(glob.glob(f"{work}/results/*.json")) if not os.path.basename(file).startswith("filter")]
    if not races:
        return "\n".join(out + ["No race has been run for this version.", ""])
    packages = sorted({runner["package"] for race in races for runner in race.runners.values() if runner["package"] != "elanus"})
    out += [f"Machine: {processor()}. Libraries: " + ", ".join(f"{package} {metadata.version(package)}" for package in packages) + ".", ""]
    out += ["Commands:", "", "    python bench/peers.py build --data FOLDER --work WORK", "    python bench/peers.py race --work WORK --elanus target/release/elanus",
            "    python bench/peers.py page --work WORK > docs/benchmarks.md", ""]
    out += ["Figures are queries a second at recall@k 0.90, 0.95 and 0.99, one thread, medians of interleaved rounds; `-` is a recall that no setting tried reached. A library that "
            "answers many queries in one call on one thread counts with the faster of its two ways. Memory is the growth of the process with the index loaded and searched, "
            "rows included; ours is the index and the rows. An hnswlib of M 16 has as many links as a HNSW of ours with M 16. Lists are 2 sqrt(rows) for all.", ""]
    for race in races:
        named = race.said.get("named")
        out += [f"## {race.name}" + (f", {named}" if named else ""), "", f"{race.said['rounds']} rounds, {race.said['when']}" + (", nothing else running." if race.said["alone"] else ", beside other work."), ""]
        told = [f"`{runner['told']}`" for runner in race.runners.values() if "told" in runner]
        out += ["Ours: " + ", ".join(told) + ".", ""]
        for k in sorted({int(k) for runner in race.runners.values() for k in runner["points"]}):
            out += table(race, k) + [""]
        out += ["Goals:", ""] + [f"- {line}" for line in goals(race)] + [""]
    out += filters(work)
    notes = os.path.join(os.path.dirname(os.path.abspath(__file__)), "notes.md")
    if os.path.exists(notes):
        out += [open(notes, encoding="utf-8").read().rstrip(), ""]
    return "\n".join(out)

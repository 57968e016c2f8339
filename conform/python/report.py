"""What a run has found: checks grouped by feature, printed as they come, and kept for the compatibility table.

A check is a block of code; it fails when the block raises. One failing check never hides the next.
"""

import contextlib
import json
import sys
import time
import traceback


class Absent(Exception):
    """Raised inside a feature when this client has no such call; the table then shows a dash."""


class Report:
    def __init__(self, client, version, target, only=""):
        self.client, self.version, self.target, self.only = client, version, target, only
        self.features = []
        self.started = time.monotonic()

    @contextlib.contextmanager
    def feature(self, name):
        """Groups checks. What is raised outside a check (a preparation that failed) becomes a failed check of its own."""
        self.current = {"name": name, "absent": "", "checks": []}
        if not self.features or self.features[-1]["name"] != name:
            self.features.append(self.current)
        else:
            self.current = self.features[-1]
        began = time.monotonic()
        try:
            yield
        except Absent as absent:
            self.current["absent"] = str(absent)
            self.print_line(f"-- {name}: {absent}")
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # noqa: BLE001 - whatever a client raises is a finding, and one raises the bare root class
            self.record("preparation", error)
        finally:
            self.current["seconds"] = round(time.monotonic() - began, 2)

    @contextlib.contextmanager
    def check(self, name):
        try:
            yield
        except (Absent, KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # noqa: BLE001
            self.record(name, error)
        else:
            self.record(name, None)

    def record(self, name, error):
        why = "" if error is None else describe(error)
        self.current["checks"].append({"name": name, "ok": error is None, "why": why})
        line = f"{self.current['name']}: {name}"
        self.print_line(f"ok {line}" if error is None else f"not ok {line}: {why}")

    def print_line(self, line):
        print(line, flush=True)

    def wants(self, name):
        return self.only.lower() in name.lower()

    def count(self):
        checks = [check for feature in self.features for check in feature["checks"]]
        passed = sum(check["ok"] for check in checks)
        return passed, len(checks) - passed

    def slowest(self, count=5):
        slow = sorted(self.features, key=lambda feature: -feature["seconds"])[:count]
        return ", ".join(f"{feature['name']} {feature['seconds']:.1f}" for feature in slow)

    def finish(self, path):
        passed, failed = self.count()
        result = {
            "client": self.client, "version": self.version, "target": self.target, "passed": passed, "failed": failed,
            "seconds": round(time.monotonic() - self.started, 1), "features": self.features,
        }
        if path:
            with open(path, "w", encoding="utf-8") as file:
                json.dump(result, file, indent=1)
        self.print_line(f"{self.client} {self.version}: {passed} passed, {failed} failed in {result['seconds']} s")
        self.print_line(f"slowest, in seconds: {self.slowest()}")
        return 0 if failed == 0 and passed > 0 else 1


def describe(error):
    """One line: what was raised, what it said, and the line of ours that raised it."""
    ours = [frame for frame in traceback.extract_tb(error.__traceback__) if "/conform/" in frame.filename]
    place = f" [{ours[-1].filename.rsplit('/', 1)[-1]}:{ours[-1].lineno}]" if ours else ""
    if not str(error) and isinstance(error, AssertionError) and ours:
        return f"{ours[-1].line}{place}"
    return f"{type(error).__name__}: {error}".replace("\n", " ")[:400] + place


def say(*parts):
    print(*parts, file=sys.stderr, flush=True)

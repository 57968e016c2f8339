"""Runs every check of this folder with the pymilvus that is installed.

  python run.py --port 19530 --data DATA_FOLDER --out results.json [--target milvus] [--only SUBSTRING]

Prints `ok NAME` or `not ok NAME: why` for each check. Exit status 0 only when all passed.
"""

import argparse
import logging
import warnings

warnings.simplefilter("ignore")
logging.disable(logging.CRITICAL)  # clients log every refused request; the refusals here are on purpose

import pymilvus  # noqa: E402

from checks import FEATURES  # noqa: E402
from report import Report  # noqa: E402
from world import World  # noqa: E402


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--host", default="127.0.0.1")
    options.add_argument("--port", type=int, default=19530)
    options.add_argument("--data", help="data folder of the server, to see index files come and go")
    options.add_argument("--target", choices=["elanus", "milvus"], default="elanus", help="milvus: expect what a 2.3 server answers")
    options.add_argument("--out")
    options.add_argument("--only", default="", help="features whose name contains this")
    options = options.parse_args()

    report = Report("pymilvus", pymilvus.__version__, options.target, options.only)
    world = World(options.host, options.port, options.data, options.target == "elanus")
    world.connect()
    for name, feature in FEATURES:
        if report.wants(name):
            with report.feature(name):
                feature(world, report)
    raise SystemExit(report.finish(options.out))


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Figures of the server, end to end, with requests as pymilvus writes them.

    python bench/server.py --server target/release/elanus --data FOLDER [--rows N] [--out FILE.json]

FOLDER holds train.npy.gz, test.npy.gz and gt_l2_1000.npy of MNIST (60,000 x 784 uint8); without --data, clustered vectors are
made. Needs pymilvus 3 and numpy. Requests are serialised before the clock starts and replies are not decoded while it
runs, so that on a small machine the client costs little; server CPU is read from the process table. The machine must
be otherwise idle. Every figure is one line; ratios and limits are for the reader.
"""
import argparse
import gzip
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

import grpc
import numpy as np
from pymilvus import DataType, MilvusClient
from pymilvus.client.prepare import Prepare
from pymilvus.grpc_gen import milvus_pb2 as pb

SERVICE = "/milvus.proto.milvus.MilvusService/"
TICK = os.sysconf("SC_CLK_TCK")
BATCH = 1000


class Server:
    def __init__(self, binary, folder):
        self.binary, self.folder = binary, folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]

    def start(self):
        """Starts the process; seconds until the first call is answered."""
        began = time.perf_counter()
        command = [self.binary, "serve", "--data", self.folder, "--port", str(self.port)]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 0.2).close()
                break
            except OSError:
                time.sleep(0.0005)
        # A connection of its own, so that no client's back-off after an earlier refusal is measured.
        channel = grpc.insecure_channel(f"127.0.0.1:{self.port}", options=[("grpc.use_local_subchannel_pool", 1)])
        call(channel, "GetVersion")(b"")
        channel.close()
        return time.perf_counter() - began

    def cpu(self):
        fields = open(f"/proc/{self.process.pid}/stat").read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def status(self, key):
        values = []
        for thread in os.listdir(f"/proc/{self.process.pid}/task"):
            for line in open(f"/proc/{self.process.pid}/task/{thread}/status"):
                if line.startswith(key):
                    values.append(int(line.split()[1]))
        return values

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        self.process.wait()


def call(channel, name):
    return channel.unary_unary(SERVICE + name, request_serializer=None, response_deserializer=None)


def load_data(folder, rows):
    if folder:
        train = np.load(gzip.open(f"{folder}/train.npy.gz")).astype(np.float32)[:rows]
        test = np.load(gzip.open(f"{folder}/test.npy.gz"))[:1000].astype(np.float32)
        if len(train) == 60000:
            return train, test, np.load(f"{folder}/gt_l2_1000.npy")[:, :10]
    else:
        rng = np.random.default_rng(7)
        centres = rng.normal(0, 10, (200, 128)).astype(np.float32)
        pick = rng.integers(0, 200, rows + 1000)
        all_rows = (centres[pick] + rng.normal(0, 3, (rows + 1000, 128))).astype(np.float32)
        train, test = all_rows[:rows], all_rows[rows:]
    squares = (train**2).sum(1)
    truth = [np.argsort(squares - 2 * train @ query, kind="stable")[:10] for query in test]
    return train, test, np.array(truth)


class Bench:
    def __init__(self, arguments):
        self.train, self.test, self.truth = load_data(arguments.data, arguments.rows)
        self.folder = tempfile.mkdtemp(prefix="elanus-bench-")
        self.server = Server(arguments.server, self.folder)
        self.figures = {}

    def say(self, name, **figures):
        self.figures[name] = figures
        print(f"{name:<34}" + "  ".join(f"{key} {value:,.4g}" for key, value in figures.items()), flush=True)

    def connect(self):
        self.channel = grpc.insecure_channel(f"127.0.0.1:{self.server.port}", options=[("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1), ("grpc.use_local_subchannel_pool", 1)])
        self.client = MilvusClient(uri=f"http://127.0.0.1:{self.server.port}")

    def timed(self, requests, name, in_flight=1):
        """Sends all requests; wall seconds, server CPU-seconds, sorted latencies, replies."""
        send, replies, times = call(self.channel, name), [None] * len(requests), [0.0] * len(requests)
        turn, lock = iter(range(len(requests))), threading.Lock()

        def work():
            while True:
                with lock:
                    at = next(turn, None)
                if at is None:
                    return
                began = time.perf_counter()
                replies[at] = send(requests[at])
                times[at] = time.perf_counter() - began

        cpu, began = self.server.cpu(), time.perf_counter()
        threads = [threading.Thread(target=work) for _ in range(in_flight)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        return time.perf_counter() - began, self.server.cpu() - cpu, sorted(times), replies

    def rows_request(self, message, ids, vectors):
        rows = [dict(id=int(i), vec=v, grp=int(i) % 100, tag=f"t{int(i) % 100}") for i, v in zip(ids, vectors)]
        fields = self.schema["fields"]
        make = Prepare.row_insert_param if message == "Insert" else Prepare.row_upsert_param
        return make("bench", rows, "", fields_info=fields).SerializeToString()

    def searches(self, effort, per_call=1, count=1000):
        starts = range(0, count, per_call)
        make = lambda at: Prepare.search_requests_with_expr("bench", "vec", {"metric_type": "L2", "params": effort}, 10, data=list(self.test[at : at + per_call]))
        return [make(at % len(self.test)).SerializeToString() for at in starts]

    def recall(self, replies):
        found = 0
        ids = [i for reply in replies for i in np.array(pb.SearchResults.FromString(reply).results.ids.int_id.data).reshape(-1, 10)]
        for query, got in enumerate(ids):
            found += len(set(map(int, got)) & set(map(int, self.truth[query % len(self.truth)])))
        return found / (10 * len(ids))

    def run(self):
        first = self.server.start()
        self.server.stop()
        again = sorted([self.restart() for _ in range(5)])[2]
        self.say("start", first_ms=first * 1e3, empty_folder_ms=again * 1e3)
        time.sleep(1)
        wakes, cpu = sum(self.server.status("voluntary_ctxt_switches")), self.server.cpu()
        time.sleep(5)
        woken = sum(self.server.status("voluntary_ctxt_switches")) - wakes
        self.say("idle", rss_mb=max(self.server.status("VmRSS")) / 1024, cpu_percent=(self.server.cpu() - cpu) * 20, wakes_per_5_s=woken)
        self.connect()
        self.insert()
        self.keys()
        self.index("IVF_FLAT", {"nlist": 1024}, "nprobe", [6, 8, 10, 12, 16, 20, 24])
        self.index("HNSW", {"M": 16, "efConstruction": 200}, "ef", [10, 12, 14, 16, 20, 24, 32])
        self.stream()
        self.kill()
        self.change()
        self.server.stop()

    def restart(self):
        took = self.server.start()
        self.server.stop()
        if not hasattr(self, "starts"):
            self.starts = 0
        self.starts += 1
        if self.starts == 5:
            self.server.start()
        return took

    def insert(self):
        schema = self.client.create_schema(auto_id=False, enable_dynamic_field=False)
        schema.add_field("id", DataType.INT64, is_primary=True)
        schema.add_field("vec", DataType.FLOAT_VECTOR, dim=self.train.shape[1])
        schema.add_field("grp", DataType.INT64)
        schema.add_field("tag", DataType.VARCHAR, max_length=32)
        self.client.create_collection("bench", schema=schema)
        self.schema = self.client.describe_collection("bench")
        rows = len(self.train)
        requests = [self.rows_request("Insert", range(at, min(at + BATCH, rows)), self.train[at : at + BATCH]) for at in range(0, rows, BATCH)]
        wall, cpu, times, _ = self.timed(requests, "Insert")
        self.say("insert, 1 client", rows_per_s=rows / wall, cpu_s_per_100k=cpu / rows * 1e5, p50_ms=times[len(times) // 2] * 1e3)
        began, cpu = time.perf_counter(), self.server.cpu()
        self.client.flush("bench")
        self.say("flush", seconds=time.perf_counter() - began, cpu_s=self.server.cpu() - cpu)

    def keys(self):
        self.client.load_collection("bench")
        make = lambda i: Prepare.query_request("bench", f"id in [{i}]", ["grp", "tag"], None).SerializeToString()
        requests = [make(i) for i in np.random.default_rng(1).integers(0, len(self.train), 4000)]
        wall, cpu, times, _ = self.timed(requests, "Query", 16)
        self.say("get by key, 16 in flight", per_s=4000 / wall, cpu_us=cpu / 4000 * 1e6, per_cpu_s=4000 / max(cpu, 1e-9))
        count = Prepare.query_request("bench", "", ["count(*)"], None, consistency_level="Strong").SerializeToString()
        _, _, times, _ = self.timed([count] * 300, "Query")
        self.say("count(*)", p50_ms=times[150] * 1e3, p99_ms=times[297] * 1e3)
        wall, cpu, _, replies = self.timed(self.searches({}, count=200), "Search")
        seconds = cpu / 200
        self.say("FLAT scan, no index", cpu_ms=seconds * 1e3, gb_per_cpu_s=self.train.nbytes / seconds / 1e9, recall=self.recall(replies))
        self.client.release_collection("bench")

    def index(self, kind, params, name, efforts):
        wanted = self.client.prepare_index_params()
        wanted.add_index("vec", index_type=kind, metric_type="L2", params=params, index_name="vec_idx")
        cpu, began = self.server.cpu(), time.perf_counter()
        self.client.create_index("bench", wanted, sync=False)
        returned = time.perf_counter() - began
        while self.client.describe_index("bench", "vec_idx")["state"] != "Finished":
            time.sleep(0.02)
        built, cpu = time.perf_counter() - began, self.server.cpu() - cpu
        began = time.perf_counter()
        self.client.load_collection("bench")
        self.say(f"{kind} build", returned_ms=returned * 1e3, wall_s=built, cpu_s=cpu, load_ms=(time.perf_counter() - began) * 1e3)
        for effort in efforts:
            _, _, _, replies = self.timed(self.searches({name: effort}), "Search")
            if self.recall(replies) >= 0.95:
                break
        self.effort = {name: effort}
        for clients in (1, 16):
            wall, cpu, times, replies = self.timed(self.searches(self.effort, count=4000), "Search", clients)
            self.say(f"{kind} {name}={effort}, {clients} in flight", recall=self.recall(replies), per_s=4000 / wall, cpu_s_per_1k=cpu / 4, p50_ms=times[2000] * 1e3, p99_ms=times[3960] * 1e3)
        wall, cpu, times, replies = self.timed(self.searches(self.effort, 100, 10000), "Search")
        self.say(f"{kind} {name}={effort}, 100 a call", recall=self.recall(replies), per_s=10000 / wall, cpu_s_per_1k=cpu / 10)
        if kind != "HNSW":
            self.client.release_collection("bench")
            self.client.drop_index("bench", "vec_idx")

    def stream(self):
        """Searches while 500 rows arrive each second."""
        rows, stop = len(self.train), threading.Event()
        requests = [self.rows_request("Insert", range(rows + at, rows + at + 50), self.train[at : at + 50]) for at in range(0, 4000, 50)]
        send, written = call(self.channel, "Insert"), []

        def write():
            for request in requests:
                began = time.perf_counter()
                if stop.wait(max(0, 0.1 - (written[-1] if written else 0))):
                    return
                sent = time.perf_counter()
                send(request)
                written.append(time.perf_counter() - sent)

        writer = threading.Thread(target=write)
        writer.start()
        wall, cpu, times, _ = self.timed(self.searches(self.effort, count=4000), "Search")
        stop.set()
        writer.join()
        self.say("search while 500 rows/s arrive", p50_ms=times[2000] * 1e3, p99_ms=times[3960] * 1e3, write_p99_ms=sorted(written)[-1 - len(written) // 100] * 1e3 if written else 0)

    def kill(self):
        count = Prepare.query_request("bench", "", ["count(*)"], None, consistency_level="Strong").SerializeToString()
        before = call(self.channel, "Query")(count)
        self.server.stop(signal.SIGKILL)
        began = time.perf_counter()
        ready = self.server.start()
        self.connect()
        _, _, _, replies = self.timed(self.searches(self.effort, count=1), "Search")
        took = time.perf_counter() - began
        same = call(self.channel, "Query")(count) and pb.QueryResults.FromString(before).fields_data == pb.QueryResults.FromString(call(self.channel, "Query")(count)).fields_data
        _, _, _, replies = self.timed(self.searches(self.effort), "Search")
        self.say("kill -9", ready_ms=ready * 1e3, first_search_ms=took * 1e3, count_same=int(same), recall=self.recall(replies))

    def change(self):
        rows = min(20000, len(self.train))
        requests = [self.rows_request("Upsert", range(at, at + BATCH), self.train[at : at + BATCH]) for at in range(0, rows, BATCH)]
        wall, cpu, _, _ = self.timed(requests, "Upsert")
        self.say("upsert", rows_per_s=rows / wall, cpu_s_per_100k=cpu / rows * 1e5, rows_per_cpu_s=rows / max(cpu, 1e-9))
        make = lambda at: Prepare.delete_request("bench", f"id in {list(range(at, at + BATCH))}", consistency_level="Strong").SerializeToString()
        requests = [make(at) for at in range(0, rows, BATCH)]
        wall, cpu, _, _ = self.timed(requests, "Delete")
        self.say("delete", rows_per_s=rows / wall, cpu_s_per_100k=cpu / rows * 1e5, rows_per_cpu_s=rows / max(cpu, 1e-9))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", default="target/release/elanus")
    parser.add_argument("--data", help="folder of MNIST; made-up vectors without it")
    parser.add_argument("--rows", type=int, default=60000)
    parser.add_argument("--out", help="write the figures as JSON, too")
    bench = Bench(arguments := parser.parse_args())
    try:
        bench.run()
    finally:
        if bench.server.process.poll() is None:
            bench.server.stop(signal.SIGKILL)
        shutil.rmtree(bench.folder, ignore_errors=True)
        if arguments.out:
            with open(arguments.out, "w") as out:
                json.dump(bench.figures, out, indent=1)


if __name__ == "__main__":
    main()

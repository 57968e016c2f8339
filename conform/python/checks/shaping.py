"""The shape of answers: hits in groups, batches of an iteration, rows in an order, and rows summed up."""

import collections

import numpy as np

from refusal import refused
from report import Absent
from world import equal, indexed, insert_papers, remove, search, short, squared_distances

COUNT = 1200


def groups(world, report):
    if not world.elanus or not world.since(2, 4):
        raise Absent("no group_by_field in this client")
    collection = indexed(world, "shape_groups", COUNT)
    rows = world.rows[:COUNT]
    queries = short(world.queries[:3])
    truth = squared_distances(queries, short(world.vectors[:COUNT]))
    with report.check("one hit a group: the nearest row of each of the nearest groups"):
        for query, hits in enumerate(search(collection, queries, 10, group_by_field="year", output_fields=["year"])):
            best = {}
            for at in np.argsort(truth[query]):
                best.setdefault(rows[at]["year"], int(at))
            equal(list(hits.ids), list(best.values())[:10])
            equal([hit.entity.get("year") for hit in hits], list(best)[:10])
    if world.since(2, 5):
        with report.check("group_size and strict_group_size"):
            hits = search(collection, queries[:1], 5, group_by_field="authors", output_fields=["authors"], group_size=3, strict_group_size=True)[0]
            sizes = collections.Counter(hit.entity.get("authors") for hit in hits)
            held = collections.Counter(row["n_authors"] for row in rows)
            equal(len(sizes), 5)
            assert all(size == min(3, held[value]) for value, size in sizes.items()), sizes
    with report.check("groups of a filter"):
        hits = search(collection, queries[:1], 50, group_by_field="year", output_fields=["year"], expr="year >= 2015")[0]
        equal({hit.entity.get("year") for hit in hits}, {row["year"] for row in rows if row["year"] >= 2015})
    with report.check("a field that cannot be grouped by is refused"):
        refused(lambda: search(collection, queries[:1], 5, group_by_field="score"))
        refused(lambda: search(collection, queries[:1], 5, group_by_field="nothing"))
    remove("shape_groups")


def hybrid_groups(world, report):
    if not world.elanus or not world.since(2, 5):
        raise Absent("no groups in hybrid searches of this client")
    from pymilvus import AnnSearchRequest, RRFRanker

    indexed(world, "shape_hybrid", COUNT)
    client, rows = world.client(), world.rows[:COUNT]
    truth = squared_distances(short(world.queries[:2]), short(world.vectors[:COUNT]))
    asked = [AnnSearchRequest(short(world.queries[at:at + 1]).tolist(), "vector", {"metric_type": "L2", "params": {"nprobe": 16}}, limit=40) for at in range(2)]

    def fused(size):
        """Of each search the best `size` rows of each of its 40 nearest groups, fused and put into groups again."""
        sums = {}
        for distances in truth:
            groups = {}
            for row in np.argsort(distances, kind="stable"):
                groups.setdefault(rows[row]["year"], []).append(int(row))
            nearest = sorted(row for members in list(groups.values())[:40] for row in members[:size])
            for rank, row in enumerate(sorted(nearest, key=lambda row: (list(groups).index(rows[row]["year"]), distances[row]))):
                sums[row] = sums.get(row, 0) + 1 / (61 + rank)
        return sums

    def groups_of(sums, size, score):
        groups = {}
        for row in sorted(sums, key=lambda row: -sums[row]):
            members = groups.setdefault(rows[row]["year"], [])
            if len(members) < size:
                members.append(row)
        return sorted((score([sums[row] for row in members]) for members in groups.values()), reverse=True)

    with report.check("groups of a hybrid search, one row each"):
        hits = client.hybrid_search("shape_hybrid", asked, RRFRanker(), limit=6, group_by_field="year", output_fields=["year"])[0]
        years = [hit["entity"]["year"] for hit in hits]
        equal((len(hits), len(set(years))), (6, 6))
        assert np.allclose([hit["distance"] for hit in hits], groups_of(fused(1), 1, max)[:6], atol=1e-6), list(hits)
    with report.check("group_size and rank_group_scorer"):
        for name, score in (("max", max), ("sum", sum), ("avg", lambda scores: sum(scores) / len(scores))):
            hits = client.hybrid_search("shape_hybrid", asked, RRFRanker(), limit=4, group_by_field="year", group_size=2, strict_group_size=True,
                                        rank_group_scorer=name, output_fields=["year"])[0]
            members = {}
            for hit in hits:
                members.setdefault(hit["entity"]["year"], []).append(hit["distance"])
            scores = [score(members) for members in members.values()]
            equal(len(scores), 4)
            equal(scores, sorted(scores, reverse=True))
            assert np.allclose(scores, groups_of(fused(2), 2, score)[:4], atol=1e-6), (name, scores)
    with report.check("refused: an unknown scorer, a field that cannot be grouped by"):
        for options in ({"group_by_field": "year", "rank_group_scorer": "median"}, {"group_by_field": "score"}, {"group_by_field": "year", "group_size": 11}):
            refused(lambda options=options: client.hybrid_search("shape_hybrid", asked, RRFRanker(), limit=4, **options))
    client.close()
    remove("shape_hybrid")


def iterations(world, report):
    if not world.elanus or not world.since(2, 6):
        raise Absent("no such iterator in this client")
    collection = indexed(world, "shape_iterations", COUNT)
    client = world.client()
    query = short(world.queries[:1])
    truth = squared_distances(query, short(world.vectors[:COUNT]))[0]
    with report.check("search_iterator (version 2) gives every row once, nearest first"):
        walk = client.search_iterator("shape_iterations", query.tolist(), batch_size=70, search_params={"params": {"nprobe": 16}})
        assert type(walk).__name__ == "SearchIteratorV2", type(walk)
        seen = read_all(walk)
        equal(seen, np.argsort(truth, kind="stable").tolist())
    with report.check("an iteration sees the moment at which it began"):
        walk = client.search_iterator("shape_iterations", query.tolist(), batch_size=400, filter="year > 2000", search_params={"params": {"nprobe": 16}})
        seen = [hit["id"] for hit in walk.next()]
        collection.delete(f"id in {list(range(0, COUNT, 2))}")
        insert_papers(world, collection, COUNT, COUNT + 50)
        collection.flush()
        collection.compact()
        collection.wait_for_compaction_completed()
        seen += read_all(walk)
        equal(sorted(seen), [row["id"] for row in world.rows[:COUNT] if row["year"] > 2000])
    with report.check("query_iterator sees the moment at which it began"):
        walk = client.query_iterator("shape_iterations", batch_size=100, filter="year > 2000", output_fields=["id"])
        left = [row["id"] for row in world.rows[:COUNT + 50] if row["year"] > 2000 and (row["id"] % 2 or row["id"] >= COUNT)]
        seen = [row["id"] for row in walk.next()]
        collection.delete("id > 0")
        while batch := walk.next():
            seen += [row["id"] for row in batch]
        equal(seen, left)
    client.close()
    remove("shape_iterations")


def read_all(walk):
    seen = []
    while batch := walk.next():
        seen += [hit["id"] for hit in batch]
    walk.close()
    return seen


def orders(world, report):
    if not world.elanus or not world.since(3, 0):
        raise Absent("no order_by in this client")
    indexed(world, "shape_orders", COUNT)
    client = world.client()
    rows = world.rows[:COUNT]
    with report.check("query: order_by several fields, limit and offset"):
        asked = [{"field": "year", "order": "desc"}, {"field": "id", "order": "asc"}]
        got = client.query("shape_orders", filter="authors > 2", output_fields=["id"], order_by=asked, limit=20, offset=5)
        wanted = sorted((row for row in rows if row["n_authors"] > 2), key=lambda row: (-row["year"], row["id"]))
        equal([row["id"] for row in got], [row["id"] for row in wanted[5:25]])
    with report.check("search: order_by_fields sorts the hits"):
        query = short(world.queries[:1]).tolist()
        options = {"limit": 20, "output_fields": ["year"], "search_params": {"params": {"nprobe": 16}}}
        near = client.search("shape_orders", query, **options)[0]
        got = client.search("shape_orders", query, order_by_fields=[{"field": "year", "order": "asc"}], **options)[0]
        equal([hit["id"] for hit in got], [hit["id"] for hit in sorted(near, key=lambda hit: hit["entity"]["year"])])
    with report.check("an unknown field or direction is refused"):
        refused(lambda: client.query("shape_orders", filter="id > 0", order_by=[{"field": "nothing"}], limit=5))
        refused(lambda: client.query("shape_orders", filter="id > 0", order_by=[{"field": "year", "order": "up"}], limit=5))
    client.close()
    remove("shape_orders")


def aggregates(world, report):
    if not world.elanus or not world.since(3, 0):
        raise Absent("no aggregates in this client")
    collection = indexed(world, "shape_sums", COUNT)
    client = world.client()
    collection.delete("id in [3, 4, 5]")
    rows = [row for row in world.rows[:COUNT] if row["id"] not in (3, 4, 5)]
    with report.check("count, sum, avg, min, max of all rows"):
        asked = ["count(*)", "sum(authors)", "avg(year)", "min(score)", "max(year)", "count(score)"]
        got = client.query("shape_sums", filter="", output_fields=asked)
        years = [row["year"] for row in rows]
        equal(len(got), 1)
        equal([got[0][name] for name in asked],
              [len(rows), sum(row["n_authors"] for row in rows), sum(years) / len(rows), min(row["id"] / 4 for row in rows), max(years), len(rows)])
    with report.check("grouped, with a filter, in an order, and cut to a limit"):
        got = client.query("shape_sums", filter="year > 2000", output_fields=["authors", "count(*)", "max(id)"], group_by_fields=["authors"],
                           order_by=[{"field": "count(*)", "order": "desc"}, {"field": "authors", "order": "asc"}], limit=4)
        counts, last = collections.Counter(), {}
        for row in rows:
            if row["year"] > 2000:
                counts[row["n_authors"]] += 1
                last[row["n_authors"]] = max(last.get(row["n_authors"], 0), row["id"])
        wanted = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:4]
        equal([(row["authors"], row["count(*)"], row["max(id)"]) for row in got], [(value, count, last[value]) for value, count in wanted])
    with report.check("groups of several fields"):
        got = client.query("shape_sums", filter="", output_fields=["year", "has_doi", "count(*)"], group_by_fields=["year", "has_doi"])
        counts = collections.Counter((row["year"], row["has_doi"]) for row in rows)
        equal({(row["year"], row["has_doi"]): row["count(*)"] for row in got}, dict(counts))
    with report.check("nothing matches: a count of 0 and no extremes; no groups"):
        equal(client.query("shape_sums", filter="year == 1066", output_fields=["count(*)"])[0]["count(*)"], 0)
        equal(client.query("shape_sums", filter="year == 1066", output_fields=["max(year)"])[0]["max(year)"], None)
        equal(client.query("shape_sums", filter="year == 1066", output_fields=["year", "count(*)"], group_by_fields=["year"]), [])
    with report.check("fields outside of the groups, and functions that do not fit, are refused"):
        refused(lambda: client.query("shape_sums", filter="", output_fields=["score", "count(*)"], group_by_fields=["year"]))
        refused(lambda: client.query("shape_sums", filter="", output_fields=["sum(vector)"]))
        refused(lambda: client.query("shape_sums", filter="", output_fields=["count(*)"], group_by_fields=["score"]))
    client.close()
    remove("shape_sums")

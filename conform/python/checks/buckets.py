"""Search aggregation: hits in buckets, with figures, orders, hits and buckets inside of them."""

import numpy as np

from checks.types import message
from report import Absent
from world import equal, indexed, remove, score, short, squared_distances


COUNT = 1200


def search(world, report):
    if not world.elanus or not world.since(3, 0):
        raise Absent("no search aggregation in this client")
    from pymilvus import SearchAggregation, TopHits

    indexed(world, "bucket_search", COUNT)
    client, rows = world.client(), world.rows[:COUNT]
    query = short(world.queries[:2])
    truth = squared_distances(query, short(world.vectors[:COUNT]))

    def buckets(aggregation, **options):
        found = client.search("bucket_search", data=query.tolist(), anns_field="vector", search_params={"params": {"nprobe": 16}},
                              search_aggregation=aggregation, **options)
        assert all(len(hits) == 0 for hits in found), found
        return found.agg_buckets

    def kept(at, key, size):
        """The nearest `size` rows of each key, keys by their nearest row."""
        groups = {}
        for row in np.argsort(truth[at], kind="stable"):
            groups.setdefault(key(rows[row]), []).append(int(row))
        return {value: members[:size] for value, members in groups.items()}

    def key_of(bucket):
        return [part["value"] for part in bucket.key]

    with report.check("buckets of one field, the nearest first, one row each"):
        for at, found in enumerate(buckets(SearchAggregation(fields=["year"], size=5))):
            equal([key_of(bucket) for bucket in found], [[value] for value in list(kept(at, lambda row: row["year"], 1))[:5]])
            equal([(bucket.count, bucket.hits, bucket.metrics) for bucket in found], [(1, [], {})] * 5)
    with report.check("figures of the rows kept, hits sorted by a field and by score"):
        aggregation = SearchAggregation(
            fields=["year"], size=4,
            metrics={"rows": {"count": "*"}, "mean": {"avg": "score"}, "least": {"min": "authors"}, "sum": {"sum": "authors"}, "near": {"min": "_score"}},
            top_hits=TopHits(size=3, sort=[{"authors": "desc"}, {"_score": "asc"}]))
        for at, found in enumerate(buckets(aggregation, output_fields=["authors"])):
            groups = kept(at, lambda row: row["year"], 3)
            for bucket, (value, members) in zip(found, groups.items(), strict=False):
                equal((key_of(bucket), bucket.count), ([value], len(members)))
                authors = [rows[row]["n_authors"] for row in members]
                equal((bucket.metrics["rows"], bucket.metrics["least"], bucket.metrics["sum"]), (len(members), min(authors), sum(authors)))
                assert np.isclose(bucket.metrics["mean"], np.mean([score(rows[row]) for row in members])), bucket
                assert np.isclose(bucket.metrics["near"], truth[at][members].min(), rtol=1e-4), bucket
                order = sorted(members, key=lambda row: (-rows[row]["n_authors"], truth[at][row]))
                equal([hit.pk for hit in bucket.hits], order)
                equal([hit.fields for hit in bucket.hits], [{"authors": rows[row]["n_authors"]} for row in order])
    with report.check("buckets in the order of a figure, of counts and of keys"):
        aggregation = SearchAggregation(fields=["year"], size=6, metrics={"most": {"max": "authors"}}, order=[{"most": "desc"}, {"_key": "asc"}], top_hits=TopHits(size=2))
        for found in buckets(aggregation):
            keys = [(-bucket.metrics["most"], key_of(bucket)) for bucket in found]
            equal(keys, sorted(keys))
        found = buckets(SearchAggregation(fields=["year"], size=6, order=[{"_count": "asc"}, {"_key": "desc"}], top_hits=TopHits(size=9)))[0]
        keys = [(bucket.count, -key_of(bucket)[0]) for bucket in found]
        equal(keys, sorted(keys))
    with report.check("keys of several fields, buckets inside of buckets"):
        found = buckets(SearchAggregation(fields=["has_doi", "authors"], size=4))[0]
        equal([key_of(bucket) for bucket in found], [list(key) for key in list(kept(0, lambda row: (row["has_doi"], row["n_authors"]), 1))[:4]])
        inner = SearchAggregation(fields=["year"], size=3, metrics={"rows": {"count": "*"}}, top_hits=TopHits(size=2))
        for bucket in buckets(SearchAggregation(fields=["has_doi"], size=2, metrics={"rows": {"count": "*"}}, sub_aggregation=inner))[0]:
            equal((bucket.hits, bucket.metrics["rows"]), ([], bucket.count))
            assert 1 <= len(bucket.sub_groups) <= 3, bucket
            assert all(rows[hit.pk]["has_doi"] == key_of(bucket)[0] and rows[hit.pk]["year"] == key_of(one)[0] for one in bucket.sub_groups for hit in one.hits), bucket
    with report.check("with a filter"):
        found = buckets(SearchAggregation(fields=["year"], size=3), filter="year >= 2018")[0]
        assert all(key_of(bucket)[0] >= 2018 for bucket in found), found
    cases = [
        ("a float as key", {"fields": ["score"], "size": 2}, {}, "score"),
        ("an unknown key", {"fields": ["nothing"], "size": 2}, {}, "nothing"),
        ("a field twice", {"fields": ["year"], "size": 2, "sub_aggregation": SearchAggregation(fields=["year"], size=2)}, {}, "duplicate"),
        ("more entries than 10,000", {"fields": ["year"], "size": 5001}, {}, "10000"),
        ("an offset", {"fields": ["year"], "size": 2}, {"offset": 3}, "offset"),
        ("the mean of a truth value", {"fields": ["year"], "size": 2, "metrics": {"mean": {"avg": "has_doi"}}}, {}, "has_doi"),
    ]
    for what, aggregation, options, fragment in cases:
        with report.check(f"refused: {what}"):
            said = message(lambda aggregation=aggregation, options=options: buckets(SearchAggregation(**aggregation), **options))
            assert fragment in said, said
    client.close()
    remove("bucket_search")

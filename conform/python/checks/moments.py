"""Filters of moments and of shapes, with and without an index, in the zones of request, collection and database."""

import time

from pymilvus import DataType

from checks.types import dense, made, message, opened_newer, row
from world import equal

SHAPES = {
    0: "POINT (1 1)", 1: "POINT (5 5)", 2: "POLYGON ((0 0, 4 0, 4 4, 0 4, 0 0))", 3: "LINESTRING (0 0, 6 6)",
    4: "POLYGON ((2 2, 8 2, 8 8, 2 8, 2 2))", 5: "LINESTRING (0 4, 4 4)", 6: "POLYGON ((4 0, 9 0, 9 4, 4 4, 4 0))", 7: None,
}
BOX = "POLYGON ((0 0, 4 0, 4 4, 0 4, 0 0))"
ASKED = [
    (f"st_within(place, '{BOX}')", [0, 2]),
    (f"ST_WITHIN(place, '{BOX}')", [0, 2]),
    (f"st_intersects(place, '{BOX}')", [0, 2, 3, 4, 5, 6]),
    ("st_contains(place, 'POINT (1 1)')", [0, 2, 3]),
    (f"st_equals(place, '{BOX}')", [2]),
    ("st_equals(place, 'POLYGON ((4 4, 0 4, 0 0, 4 0, 4 4))')", [2]),
    (f"st_touches(place, '{BOX}')", [5, 6]),
    (f"st_overlaps(place, '{BOX}')", [4]),
    (f"st_crosses(place, '{BOX}')", [3]),
    ("st_dwithin(place, 'POINT (1 1)', 1000)", [0, 2, 3]),
    ("st_dwithin(place, 'POINT (5 5)', 0)", [1, 3, 4]),
    ("st_isvalid(place)", [0, 1, 2, 3, 4, 5, 6]),
    (f"not st_intersects(place, '{BOX}')", [1]),
    ("place is null", [7]),
    ("place is not null and id < 3", [0, 1, 2]),
    (f"id > 2 and (st_touches(place, '{BOX}') or st_crosses(place, '{BOX}'))", [3, 5, 6]),
]


def settled(client, name, index):
    for _ in range(200):
        if client.describe_index(name, index)["pending_index_rows"] == 0:
            return
        time.sleep(0.05)
    raise AssertionError("the index is never done")


def ids(client, name, text, **options):
    return sorted(one["id"] for one in client.query(name, filter=text, output_fields=["id"], **options))


def shapes(world, report):
    client, name = opened_newer(world), "moments_shapes"
    schema = dense(client)
    schema.add_field("place", DataType.GEOMETRY, nullable=True)
    made(client, name, schema, vector="L2")
    client.insert(name, [row(at, place=shape) for at, shape in SHAPES.items()])
    # Rows far away, so that an index is worth its while.
    client.insert(name, [row(at, place=f"POINT ({100 + at % 50} {at % 60})") for at in range(100, 1700)])

    def all_of(when):
        for text, wanted in ASKED:
            with report.check(f"{text}, {when}"):
                equal([at for at in ids(client, name, text) if at < 100], wanted)
        with report.check(f"a shape filters a search, {when}"):
            hits = client.search(name, [[0.0, 1.0]], limit=5, filter=f"st_within(place, '{BOX}')")[0]
            equal(sorted(hit["id"] for hit in hits), [0, 2])

    all_of("in memory")
    client.flush(name)
    all_of("in a file")
    params = client.prepare_index_params()
    params.add_index("place", index_type="RTREE")
    client.create_index(name, params)
    settled(client, name, "place")
    all_of("by RTREE")
    for what, text, fragment in [
        ("no WKT", "st_within(place, 'POLYGON((0 0')", "cannot parse expression"),
        ("a text in place of a shape's field", f"st_within(id, '{BOX}')", "cannot parse expression"),
        ("a negative distance", "st_dwithin(place, 'POINT (1 1)', -1)", "cannot parse expression"),
        ("a distance to what is no point", f"st_dwithin(place, '{BOX}', 1)", "cannot parse expression"),
        ("an unknown predicate", f"st_beside(place, '{BOX}')", "cannot parse expression"),
    ]:
        with report.check(f"refused: {what}"):
            said = message(lambda text=text: ids(client, name, text))
            assert "1100" in said and fragment in said, said
    client.drop_collection(name)


def times(world, report):
    client, name = opened_newer(world), "moments_times"
    schema = dense(client)
    schema.add_field("at", DataType.TIMESTAMPTZ, nullable=True)
    made(client, name, schema, vector="L2")
    given = {0: "2025-01-01T00:00:00Z", 1: "2025-01-01T00:00:00+08:00", 2: "2025-01-31T12:00:00Z", 3: "2025-02-28T12:00:00Z", 4: "2024-12-31T23:59:59.999999Z", 5: None}
    client.insert(name, [row(at, at=moment) for at, moment in given.items()])
    client.insert(name, [row(at, at=f"19{at % 90 + 10}-06-01T00:00:00Z") for at in range(100, 1500)])
    asked = [
        ("at == ISO '2025-01-01T00:00:00Z'", [0]),
        ("at == ISO '2025-01-01T08:00:00+08:00'", [0]),
        ("at != ISO '2025-01-01T00:00:00Z' and id < 6", [1, 2, 3, 4]),
        ("at < ISO '2025-01-01T00:00:00Z' and id < 6", [1, 4]),
        ("at >= ISO '2025-01-01T00:00:00Z'", [0, 2, 3]),
        ("ISO '2025-01-01T00:00:00Z' <= at", [0, 2, 3]),
        ("at + INTERVAL 'P1D' > ISO '2025-01-02T00:00:00Z'", [2, 3]),
        ("at - INTERVAL 'PT16H' == ISO '2024-12-31T00:00:00Z'", [1]),
        ("at + INTERVAL 'P1M' == ISO '2025-02-28T12:00:00Z'", [2]),
        ("at + INTERVAL 'P1M' >= ISO '2025-03-01T00:00:00Z'", [3]),
        ("at + INTERVAL 'P1Y2M3DT4H5M6S' >= ISO '2026-04-01T00:00:00Z'", [2, 3]),
        ("at > ISO '2025-01-01T00:00:00Z' and at < ISO '2025-02-01T00:00:00Z'", [2]),
        ("at is null", [5]),
        ("not (at > ISO '2024-01-01T00:00:00Z') and id < 100", []),
    ]

    def all_of(when):
        for text, wanted in asked:
            with report.check(f"{text}, {when}"):
                equal([at for at in ids(client, name, text) if at < 100], wanted)

    all_of("in memory")
    client.flush(name)
    params = client.prepare_index_params()
    params.add_index("at", index_type="STL_SORT")
    client.create_index(name, params)
    settled(client, name, "at")
    all_of("by STL_SORT")
    with report.check("a moment without an offset is in the zone of the request"):
        text = "at == ISO '2025-01-01T08:00:00'"
        equal(ids(client, name, text), [])
        equal(ids(client, name, text, timezone="Asia/Shanghai"), [0])
        equal(client.query(name, filter=text, output_fields=["at"], timezone="Asia/Shanghai")[0]["at"], "2025-01-01T08:00:00+08:00")
        hits = client.search(name, [[0.0, 1.0]], limit=3, filter=text, output_fields=["at"], timezone="Asia/Shanghai")[0]
        equal([(hit["id"], hit["entity"]["at"]) for hit in hits], [(0, "2025-01-01T08:00:00+08:00")])
    with report.check("parts of moments in their place"):
        parts = "year, month, day, hour, minute, second, microsecond"
        found = client.query(name, filter="id in [0, 4, 5]", output_fields=["at"], time_fields=parts, timezone="Asia/Shanghai")
        equal([one["at"] and list(one["at"]) for one in found], [[2025, 1, 1, 8, 0, 0, 0], [2025, 1, 1, 7, 59, 59, 999999], None])
        hits = client.search(name, [[0.0, 1.0]], limit=1, output_fields=["at"], time_fields="year,hour")[0]
        equal(list(hits[0]["entity"]["at"]), [2025, 0])
        assert "1100" in message(lambda: client.query(name, filter="id == 0", output_fields=["at"], time_fields="week"))
    with report.check("and else in the collection's"):
        client.alter_collection_properties(name, properties={"timezone": "America/New_York"})
        equal(ids(client, name, "at == ISO '2024-12-31T19:00:00'"), [0])
        equal(ids(client, name, "at == ISO '2025-01-01T00:00:00'", timezone="UTC"), [0])
        client.delete(name, filter="at == ISO '2025-01-31T07:00:00'")
        equal(ids(client, name, "id == 2"), [])
    with report.check("and else in the database's"):
        client.create_database("moments_zone", properties={"timezone": "Asia/Tokyo"})
        inside = world.client(db_name="moments_zone")
        made(inside, name, schema, vector="L2")
        inside.insert(name, [row(0, at="2025-01-01T09:00:00")])
        equal(ids(inside, name, "at == ISO '2025-01-01T00:00:00Z'"), [0])
        equal(ids(inside, name, "at == ISO '2025-01-01T09:00:00'"), [0])
        equal(inside.query(name, ids=[0], output_fields=["at"])[0]["at"], "2025-01-01T09:00:00+09:00")
        inside.drop_collection(name)
        inside.close()
        client.drop_database("moments_zone")
    for what, text in [
        ("no moment", "at > ISO 'yesterday'"), ("no interval", "at + INTERVAL 'a day' > ISO '2025-01-01T00:00:00Z'"),
        ("a moment and a number", "at > 5"), ("an interval on a number", "id + INTERVAL 'P1D' > ISO '2025-01-01T00:00:00Z'"),
    ]:
        with report.check(f"refused: {what}"):
            said = message(lambda text=text: ids(client, name, text))
            assert "1100" in said and "cannot parse expression" in said, said
    with report.check("refused: no zone"):
        assert "1100" in message(lambda: ids(client, name, "id > 0", timezone="Nowhere/Land"))
    client.drop_collection(name)

"""MilvusClient, the front door of newer clients: dictionaries in, dictionaries out."""

from pymilvus import DataType

from refusal import refused
from report import Absent
from world import SHORT, equal, short, squared_distances


def quick(world, report):
    client = opened(world)
    name = "simple_quick"
    client.drop_collection(name)
    with report.check("create_collection by name and dimension: ready to use"):
        client.create_collection(name, dimension=SHORT, metric_type="L2", consistency_level="Strong")
        equal(client.has_collection(name), True)
        assert name in client.list_collections()
        assert "Loaded" in str(client.get_load_state(name)["state"]), client.get_load_state(name)
    with report.check("insert rows with keys outside the schema"):
        result = client.insert(name, rows_of(world, 0, 1000))
        equal(result["insert_count"], 1000)
    truth = squared_distances(short(world.queries[:3]), short(world.vectors[:1000]))
    with report.check("search with output fields and a filter"):
        found = client.search(name, short(world.queries[:3]).tolist(), limit=5, output_fields=["title", "year"])
        equal([hits[0]["id"] for hits in found], truth.argmin(axis=1).tolist())
        equal(found[0][0]["entity"]["title"], world.rows[found[0][0]["id"]]["title"])
        found = client.search(name, short(world.queries[:1]).tolist(), limit=5, filter="year == 2019", output_fields=["year"])
        equal([hit["entity"]["year"] for hit in found[0]], [2019] * 5)
    with report.check("query, get, count"):
        years = client.query(name, filter="year < 1995", output_fields=["year"])
        equal({row["id"] for row in years}, {row["id"] for row in world.rows[:1000] if row["year"] < 1995})
        equal({row["id"]: row["title"] for row in client.get(name, ids=[1, 2], output_fields=["title"])},
              {at: world.rows[at]["title"] for at in (1, 2)})
        equal(client.query(name, filter="", output_fields=["count(*)"])[0]["count(*)"], 1000)
    with report.check("upsert and delete"):
        equal(client.upsert(name, rows_of(world, 999, 1010))["upsert_count"], 11)
        client.delete(name, ids=[0, 1])
        client.delete(name, filter="year == 2019")
        left = {row["id"] for row in world.rows[:1010] if row["id"] > 1 and row["year"] != 2019}
        equal(client.query(name, filter="", output_fields=["count(*)"])[0]["count(*)"], len(left))
    with report.check("describe, stats, rename"):
        described = client.describe_collection(name)
        equal(([field["name"] for field in described["fields"]], described["enable_dynamic_field"]), (["id", "vector"], True))
        client.drop_collection("simple_renamed")
        client.rename_collection(name, "simple_renamed")
        equal((client.has_collection(name), client.has_collection("simple_renamed")), (False, True))
        assert int(client.get_collection_stats("simple_renamed")["row_count"]) >= 0
    client.drop_collection("simple_renamed")
    client.close()


def indexes(world, report):
    client = opened(world)
    name = "simple_index"
    client.drop_collection(name)
    schema = client.create_schema(auto_id=False, enable_dynamic_field=False)
    schema.add_field("id", DataType.INT64, is_primary=True)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=SHORT)
    client.create_collection(name, schema=schema, consistency_level="Strong")
    client.insert(name, [{"id": at, "vector": short(world.vectors[at]).tolist()} for at in range(1500)])
    with report.check("create_index, list, describe"):
        client.create_index(name, ivf_flat(client))
        equal(client.list_indexes(name), ["near"])
        described = client.describe_index(name, "near")
        equal({part: str(described[part]) for part in ("index_type", "metric_type", "nlist", "field_name", "index_name")},
              {"index_type": "IVF_FLAT", "metric_type": "L2", "nlist": "16", "field_name": "vector", "index_name": "near"})
    with report.check("describe counts rows: total = indexed + pending"):
        described = client.describe_index(name, "near")
        total, indexed, pending = (int(described[part]) for part in ("total_rows", "indexed_rows", "pending_index_rows"))
        equal(total, indexed + pending)
        equal(str(described["state"]), "Finished")
    with report.check("load, search, release"):
        client.load_collection(name)
        found = client.search(name, short(world.vectors[5:6]).tolist(), limit=1, search_params={"metric_type": "L2", "params": {"nprobe": 16}})
        equal(found[0][0]["id"], 5)
        client.release_collection(name)
        assert "NotLoad" in str(client.get_load_state(name)["state"])
    with report.check("drop_index; describe answers None, list answers []"):
        client.drop_index(name, "near")
        equal((client.describe_index(name, "near"), client.list_indexes(name)), (None, []))
    client.drop_collection(name)
    client.close()


def ivf_flat(client):
    params = client.prepare_index_params()
    params.add_index(field_name="vector", index_type="IVF_FLAT", metric_type="L2", index_name="near", params={"nlist": 16})
    return params


def parts(world, report):
    client = opened(world)
    name = "simple_parts"
    client.drop_collection(name)
    client.create_collection(name, dimension=SHORT, metric_type="L2", consistency_level="Strong")
    with report.check("partitions"):
        client.create_partition(name, "old")
        equal((client.has_partition(name, "old"), sorted(client.list_partitions(name))), (True, ["_default", "old"]))
        client.insert(name, rows_of(world, 0, 50), partition_name="old")
        client.insert(name, rows_of(world, 50, 80))
        found = client.search(name, short(world.vectors[60:61]).tolist(), limit=80, partition_names=["old"])
        equal(sorted(hit["id"] for hit in found[0]), list(range(50)))
        client.release_partitions(name, ["old"])
        client.drop_partition(name, "old")
        equal(client.list_partitions(name), ["_default"])
    with report.check("aliases"):
        client.create_alias(name, "simple_alias")
        equal(client.describe_alias("simple_alias")["collection_name"], name)
        equal(list(client.list_aliases(name)["aliases"]), ["simple_alias"])
        client.drop_alias("simple_alias")
        refused(lambda: client.describe_alias("simple_alias"))
    client.drop_collection(name)
    with report.check("describe of what is gone is refused"):
        refused(lambda: client.describe_collection(name))
    client.close()


def rows_of(world, start, end):
    return [{"id": row["id"], "vector": short(world.vectors[row["id"]]).tolist(), "title": row["title"], "year": row["year"]}
            for row in world.rows[start:end]]


def opened(world):
    if not world.since(2, 4):
        raise Absent("an early MilvusClient, with other calls")
    return world.client()

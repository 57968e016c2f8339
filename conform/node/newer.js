// What came to the Node SDK with 2.6 and 3.0, held against brute force in this file.
'use strict';
const assert = require('assert');

const ROWS = 240;
const DIM = 4;

// Numbers that look random and are the same every time.
function random(seed) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 4294967296;
  };
}

function vectorOf(next) {
  return Array.from({ length: DIM }, () => Math.round((next() * 2 - 1) * 64) / 64);
}

const product = (a, b) => a.reduce((sum, x, at) => sum + x * b[at], 0);
const distance = (a, b) => a.reduce((sum, x, at) => sum + (x - b[at]) ** 2, 0);
const cosine = (a, b) => product(a, b) / Math.sqrt(product(a, a) * product(b, b));

module.exports = function newer({ client, sdk, good, refusal }) {
  const { DataType } = sdk;
  const key = { name: 'id', data_type: DataType.Int64, is_primary_key: true, autoID: false };
  const vector = { name: 'vector', data_type: DataType.FloatVector, dim: DIM };

  async function made(name, fields, indexes, more = {}) {
    await client.dropCollection({ collection_name: name }).catch(() => {});
    good(await client.createCollection({ collection_name: name, consistency_level: 'Strong', fields: [key, vector, ...fields], ...more }));
    for (const index of [{ field_name: 'vector', index_type: 'AUTOINDEX', metric_type: 'L2' }, ...indexes]) {
      good(await client.createIndex({ collection_name: name, index_name: index.field_name, ...index }));
    }
    good(await client.loadCollectionSync({ collection_name: name }));
  }

  // Both while rows are in memory and from their file.
  async function twice(check, name, what, body) {
    await check(what, body);
    good(await client.flushSync({ collection_names: [name] }));
    await check(`${what}, from a file`, body);
  }

  async function read(name, filter, output_fields, more = {}) {
    const rows = good(await client.query({ collection_name: name, filter, output_fields, limit: 1000, ...more })).data;
    return rows.sort((a, b) => Number(a.id) - Number(b.id));
  }

  async function structs(check) {
    const name = 'node_structs';
    const next = random(7);
    await made(name, [{
      name: 'parts', data_type: DataType.Array, element_type: DataType.Struct, max_capacity: 8,
      fields: [
        { name: 'kind', data_type: DataType.VarChar, max_length: 16 },
        { name: 'page', data_type: DataType.Int32 },
        { name: 'lists', data_type: DataType.FloatVector, dim: DIM },
        { name: 'single', data_type: DataType.FloatVector, dim: DIM },
      ],
    }], [
      { field_name: 'parts[lists]', index_type: 'HNSW', metric_type: 'MAX_SIM_IP', params: { M: 16, efConstruction: 100 } },
      { field_name: 'parts[single]', index_type: 'HNSW', metric_type: 'COSINE', params: { M: 16, efConstruction: 100 } },
    ]);
    const rows = Array.from({ length: ROWS }, (_, id) => ({
      id, vector: vectorOf(next),
      parts: Array.from({ length: 1 + Math.floor(next() * 4) }, (_, page) => ({ kind: next() < 0.5 ? 'a' : 'b', page, lists: vectorOf(next), single: vectorOf(next) })),
    }));
    good(await client.insert({ collection_name: name, data: rows }));
    await twice(check, name, 'structs come back as they went in', async () => {
      const found = await read(name, 'id < 20', ['parts']);
      assert.deepStrictEqual(found.map((row) => row.parts), rows.slice(0, 20).map((row) => row.parts));
    });
    await check('conditions on single structs', async () => {
      const found = await read(name, "match_any(parts, $[kind] == 'a' and $[page] >= 2)", ['id']);
      assert.deepStrictEqual(found.map((row) => Number(row.id)), rows.filter((row) => row.parts.some((part) => part.kind === 'a' && part.page >= 2)).map((row) => row.id));
    });
    await check('search for the nearest structs', async () => {
      const query = vectorOf(next);
      const truth = rows.flatMap((row) => row.parts.map((part, offset) => ({ id: row.id, offset, score: cosine(query, part.single) }))).sort((a, b) => b.score - a.score).slice(0, 8);
      const hits = good(await client.search({ collection_name: name, data: query, anns_field: 'parts[single]', metric_type: 'COSINE', limit: 8, params: { ef: 200 } })).results;
      hits.forEach((hit, at) => assert.ok(Math.abs(hit.score - truth[at].score) < 1e-4, `${at}: ${hit.score} ${truth[at].score}`));
      assert.deepStrictEqual(hits.map((hit) => [Number(hit.id), Number(hit.offset)]), truth.map((one) => [one.id, one.offset]));
    });
    await check('search for the nearest lists', async () => {
      const list = [vectorOf(next), vectorOf(next), vectorOf(next)];
      const score = (row) => list.reduce((sum, one) => sum + Math.max(...row.parts.map((part) => product(one, part.lists))), 0);
      const truth = rows.map((row) => ({ id: row.id, score: score(row) })).sort((a, b) => b.score - a.score).slice(0, 5);
      const hits = good(await client.search({ collection_name: name, data: [list], anns_field: 'parts[lists]', metric_type: 'MAX_SIM_IP', limit: 5 })).results;
      const first = Array.isArray(hits[0]) ? hits[0] : hits;
      first.forEach((hit, at) => assert.ok(Math.abs(hit.score - truth[at].score) < 1e-4, `${at}: ${hit.score} ${truth[at].score}`));
    });
    await check('hybrid search: what structs make of a row', async () => {
      const query = vectorOf(next);
      const hits = good(await client.search({
        collection_name: name, limit: 5, rerank: { strategy: 'weighted', params: { weights: [0, 1], norm_score: false } },
        data: [{ data: query, anns_field: 'vector', params: { metric_type: 'L2' } },
          { data: query, anns_field: 'parts[single]', params: { metric_type: 'COSINE', element_scope: { collapse: { strategy: 'sum' } } } }],
      })).results;
      assert.ok(hits.length === 5 && hits.every((hit) => hit.offset === undefined), JSON.stringify(hits.slice(0, 2)));
    });
    good(await client.dropCollection({ collection_name: name }));
  }

  async function buckets(check) {
    const name = 'node_buckets';
    const next = random(11);
    await made(name, [{ name: 'color', data_type: DataType.VarChar, max_length: 8 }, { name: 'price', data_type: DataType.Int64 }], []);
    const rows = Array.from({ length: ROWS }, (_, id) => ({ id, vector: vectorOf(next), color: ['red', 'green', 'blue'][Math.floor(next() * 3)], price: Math.floor(next() * 100) }));
    good(await client.insert({ collection_name: name, data: rows }));
    await twice(check, name, 'group by search', async () => {
      const query = vectorOf(next);
      const hits = good(await client.search({ collection_name: name, data: query, anns_field: 'vector', limit: 3, group_by_field: 'color', output_fields: ['color'] })).results;
      const best = {};
      rows.map((row) => ({ ...row, score: distance(query, row.vector) })).sort((a, b) => a.score - b.score).forEach((row) => { best[row.color] = best[row.color] || row; });
      assert.deepStrictEqual(hits.map((hit) => hit.color), Object.values(best).sort((a, b) => a.score - b.score).map((row) => row.color));
      hits.forEach((hit) => assert.ok(Math.abs(hit.score - best[hit.color].score) < 1e-4));
    });
    await check('search_aggregation: buckets of all rows with their counts and means', async () => {
      const answer = good(await client.search({
        collection_name: name, data: vectorOf(next), anns_field: 'vector', limit: ROWS,
        search_aggregation: { fields: ['color'], size: 3, metrics: { dearest: { op: 'max', field_name: 'price' }, mean: { op: 'avg', field_name: 'price' } }, top_hits: { size: 2 } },
      }));
      assert.ok(answer.agg_buckets.length >= 1 && answer.agg_buckets.length <= 3, JSON.stringify(answer.agg_buckets));
      for (const bucket of answer.agg_buckets) {
        assert.ok(['red', 'green', 'blue'].includes(bucket.key[0].value), JSON.stringify(bucket.key));
        assert.ok(Number(bucket.count) >= 1 && bucket.hits.length <= 2 && Number(bucket.metrics.dearest) >= Number(bucket.metrics.mean), JSON.stringify(bucket));
      }
    });
    await check('query: count, sum, least and greatest by group', async () => {
      const found = good(await client.query({ collection_name: name, filter: 'price >= 10', output_fields: ['color', 'count(*)', 'sum(price)', 'min(price)', 'max(price)'], group_by_fields: ['color'], limit: 10 })).data;
      for (const color of ['red', 'green', 'blue']) {
        const prices = rows.filter((row) => row.color === color && row.price >= 10).map((row) => row.price);
        const got = found.find((row) => row.color === color);
        const want = [prices.length, prices.reduce((a, b) => a + b, 0), Math.min(...prices), Math.max(...prices)];
        assert.deepStrictEqual(['count(*)', 'sum(price)', 'min(price)', 'max(price)'].map((one) => Number(got[one])), want);
      }
    });
    await check('query in order', async () => {
      const found = good(await client.query({ collection_name: name, filter: 'id >= 0', output_fields: ['price'], order_by_fields: ['price:desc', 'id:asc'], limit: 7 })).data;
      const want = [...rows].sort((a, b) => b.price - a.price || a.id - b.id).slice(0, 7);
      assert.deepStrictEqual(found.map((row) => Number(row.id)), want.map((row) => row.id));
    });
    await check('search iterator: every row once, nearest first', async () => {
      const query = vectorOf(next);
      const seen = [];
      for await (const batch of await client.searchIterator({ collection_name: name, data: query, anns_field: 'vector', batchSize: 50, output_fields: ['id'] })) seen.push(...batch);
      assert.strictEqual(new Set(seen.map((hit) => hit.id)).size, ROWS);
      assert.ok(seen.every((hit, at) => at === 0 || hit.score >= seen[at - 1].score - 1e-6));
    });
    await check('query iterator: every matching row once', async () => {
      const seen = [];
      for await (const batch of await client.queryIterator({ collection_name: name, filter: 'price < 50', batchSize: 17, output_fields: ['price'] })) seen.push(...batch);
      assert.deepStrictEqual(seen.map((row) => Number(row.id)).sort((a, b) => a - b), rows.filter((row) => row.price < 50).map((row) => row.id));
    });
    await check('hybrid search by reciprocal ranks', async () => {
      const asked = [vectorOf(next), vectorOf(next)];
      const fused = {};
      for (const query of asked) {
        const near = rows.map((row) => ({ id: row.id, score: distance(query, row.vector) })).sort((a, b) => a.score - b.score || a.id - b.id).slice(0, 20);
        near.forEach((row, rank) => { fused[row.id] = (fused[row.id] || 0) + 1 / (61 + rank); });
      }
      const hits = good(await client.search({ collection_name: name, limit: 5, rerank: sdk.RRFRanker(60), data: asked.map((data) => ({ data, anns_field: 'vector', params: {}, limit: 20 })) })).results;
      const best = Object.values(fused).sort((a, b) => b - a);
      hits.forEach((hit, at) => assert.ok(Math.abs(hit.score - best[at]) < 2e-3, `${at}: ${hit.score} ${best[at]}`));
    });
    await check('search by primary keys', async () => {
      const hits = good(await client.search({ collection_name: name, ids: [3, 5], anns_field: 'vector', limit: 1 })).results;
      assert.deepStrictEqual(hits.map((one) => Number((Array.isArray(one) ? one[0] : one).score)), [0, 0]);
    });
    good(await client.dropCollection({ collection_name: name }));
  }

  async function moments(check) {
    const name = 'node_moments';
    await made(name, [{ name: 'at', data_type: DataType.Timestamptz, nullable: true }, { name: 'place', data_type: DataType.Geometry, nullable: true }], [
      { field_name: 'at', index_type: 'STL_SORT' }, { field_name: 'place', index_type: 'RTREE' },
    ], { properties: { timezone: 'Asia/Shanghai' } });
    const rows = [
      { id: 1, vector: [1, 0, 0, 0], at: '2025-01-01T00:00:00', place: 'POINT (1 1)' },
      { id: 2, vector: [2, 0, 0, 0], at: '2025-01-01T00:00:00Z', place: 'POINT (5 5)' },
      { id: 3, vector: [3, 0, 0, 0], at: '2025-06-01T12:30:00+02:00', place: 'POLYGON ((0 0, 2 0, 2 2, 0 2, 0 0))' },
      { id: 4, vector: [4, 0, 0, 0], at: null, place: null },
    ];
    good(await client.insert({ collection_name: name, data: rows }));
    await twice(check, name, 'moments in the time zone of the collection', async () => {
      const found = await read(name, 'id > 0', ['at']);
      assert.deepStrictEqual(found.map((row) => row.at), ['2025-01-01T00:00:00+08:00', '2025-01-01T08:00:00+08:00', '2025-06-01T18:30:00+08:00', null]);
    });
    await check('moments in the time zone of the request', async () => {
      const found = await read(name, 'id < 3', ['at'], { params: { timezone: 'America/New_York' } });
      assert.deepStrictEqual(found.map((row) => row.at), ['2024-12-31T11:00:00-05:00', '2024-12-31T19:00:00-05:00']);
    });
    await check('moments compared, with an interval', async () => {
      const ids = async (filter) => (await read(name, filter, ['id'])).map((row) => Number(row.id));
      assert.deepStrictEqual(await ids("at < ISO '2025-01-01T01:00:00+08:00'"), [1]);
      assert.deepStrictEqual(await ids("at + INTERVAL 'P5M' > ISO '2025-06-01T00:00:00+08:00'"), [2, 3]);
      assert.deepStrictEqual(await ids('at is null'), [4]);
    });
    await check('the time zone of a collection under the name that the SDK has for it', async () => {
      await made('node_zone', [{ name: 'at', data_type: DataType.Timestamptz }], [], { properties: { [sdk.CollectionProperties.TIMEZONE]: 'Asia/Tokyo' } });
      good(await client.insert({ collection_name: 'node_zone', data: [{ id: 1, vector: [1, 0, 0, 0], at: '2025-01-01T00:00:00' }] }));
      assert.deepStrictEqual((await read('node_zone', 'id > 0', ['at'])).map((row) => row.at), ['2025-01-01T00:00:00+09:00']);
      good(await client.dropCollection({ collection_name: 'node_zone' }));
    });
    await check('shapes in and out, and compared', async () => {
      const found = await read(name, "st_within(place, 'POLYGON ((0 0, 3 0, 3 3, 0 3, 0 0))')", ['place']);
      assert.deepStrictEqual(found.map((row) => [Number(row.id), row.place]), [[1, rows[0].place], [3, rows[2].place]]);
      assert.deepStrictEqual((await read(name, 'place is null', ['place'])).map((row) => row.place), [null]);
    });
    await check('refused: what is no moment, what is no shape', async () => {
      for (const [wrong, words] of [[{ at: 'yesterday' }, /invalid timestamptz string/], [{ place: 'POINT (1' }, /invalid geometry data/]]) {
        const status = await refusal(() => client.insert({ collection_name: name, data: [{ ...rows[0], id: 9, ...wrong }] }));
        assert.match(status.reason, words);
      }
      assert.strictEqual((await read(name, 'id == 9', ['id'])).length, 0);
    });
    good(await client.dropCollection({ collection_name: name }));
  }

  async function updates(check) {
    const name = 'node_updates';
    await made(name, [
      { name: 'count', data_type: DataType.Int64, nullable: true }, { name: 'tags', data_type: DataType.Array, element_type: DataType.VarChar, max_capacity: 8, max_length: 16, nullable: true },
      { name: 'doc', data_type: DataType.JSON, nullable: true },
    ], [], { enable_dynamic_field: true });
    const row = (id) => ({ id, vector: [id, 1, 1, 1], count: id * 10, tags: ['a', 'b'], doc: { n: id }, note: `n${id}` });
    good(await client.insert({ collection_name: name, data: [row(1), row(2), row(3)] }));
    await check('partial update keeps what it does not name', async () => {
      good(await client.upsert({ collection_name: name, partial_update: true, data: [{ id: 1, count: 99 }, { id: 3, count: null }] }));
      const found = await read(name, 'id > 0', ['vector', 'count', 'tags', 'doc', 'note']);
      assert.deepStrictEqual(found.map((one) => one.count && Number(one.count)), [99, 20, null]);
      assert.deepStrictEqual(found.map((one) => [one.vector[0], one.tags, one.doc.n, one.$meta.note]), [1, 2, 3].map((id) => [id, ['a', 'b'], id, `n${id}`]));
    });
    await check('arrays grow and shrink', async () => {
      good(await client.upsert({ collection_name: name, partial_update: true, data: [{ id: 1, tags: ['c'] }], field_ops: [{ field_name: 'tags', op: 'ARRAY_APPEND' }] }));
      good(await client.upsert({ collection_name: name, partial_update: true, data: [{ id: 2, tags: ['a'] }], field_ops: [{ field_name: 'tags', op: 'ARRAY_REMOVE' }] }));
      assert.deepStrictEqual((await read(name, 'id < 3', ['tags'])).map((one) => one.tags), [['a', 'b', 'c'], ['b']]);
    });
    await check('counts are exact after them', async () => {
      assert.strictEqual(Number(good(await client.count({ collection_name: name })).data), 3);
      assert.strictEqual(Number(good(await client.count({ collection_name: name, expr: "array_contains(tags, 'c')" })).data), 1);
    });
    await check('a template for a list', async () => {
      const found = await read(name, 'id in {ids} and note == {note}', ['id'], { exprValues: { ids: [1, 2, 7], note: 'n2' } });
      assert.deepStrictEqual(found.map((one) => Number(one.id)), [2]);
    });
    await check('a field more, null in older rows', async () => {
      good(await client.addCollectionField({ collection_name: name, field: { name: 'later', data_type: DataType.Int64, nullable: true } }));
      assert.deepStrictEqual((await read(name, 'later is null', ['later'])).map((one) => one.later), [null, null, null]);
    });
    good(await client.dropCollection({ collection_name: name }));
  }

  return [['Arrays of structs', structs], ['Groups, aggregation, order, iterators, hybrid search', buckets], ['Moments and shapes', moments], ['Partial update, added fields', updates]];
};

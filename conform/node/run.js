// Runs the checks with one version of the Node SDK, unmodified.
//   node run.js --sdk 3.0.6 --port 19530 --data FOLDER --out results.json [--target milvus]
// `--sdk` names the folder beside this file (or, with --modules, elsewhere) where `npm ci` was run.
'use strict';
const assert = require('assert');
const path = require('path');
const { Report } = require('./report');
const { readVectors, readRows, neighbours, indexFiles } = require('./demo');

const options = { host: '127.0.0.1', port: '19530', target: 'elanus' };
for (let at = 2; at < process.argv.length; at += 2) options[process.argv[at].slice(2)] = process.argv[at + 1];
const modules = options.modules || path.join(__dirname, options.sdk, 'node_modules');
const home = path.join(modules, '@zilliz', 'milvus2-sdk-node');
const sdk = require(home);
const version = require(path.join(home, 'package.json')).version;
const early = version.startsWith('2.2.');
const DataType = sdk.DataType || require(path.join(home, 'dist', 'milvus', 'types', 'Common.js')).DataType;
const elanus = options.target === 'elanus';
const ROWS = 3000;

const client = early ? new sdk.MilvusClient(`${options.host}:${options.port}`, false) : new sdk.MilvusClient({ address: `${options.host}:${options.port}` });
// Early versions keep their calls in managers; later ones have them all on the client.
const calls = (manager) => (early ? client[manager] : client);
const collections = calls('collectionManager');
const partitions = calls('partitionManager');
const indexes = calls('indexManager');
const data = calls('dataManager');

const vectors = readVectors('rows.f16.npy', ROWS);
const queries = readVectors('queries.f16.npy', 10);
const rows = readRows('rows.jsonl', ROWS);

// The answer, if it says success.
function good(answer) {
  const status = answer && (answer.status || answer);
  assert.ok(status && (status.error_code === 'Success' || status.error_code === 0), `not Success: ${JSON.stringify(status).slice(0, 300)}`);
  return answer;
}

// The status of a refusal, whether it came as an answer or was thrown.
async function refusal(call) {
  let answer;
  try {
    answer = await call();
  } catch (error) {
    return { error_code: 'thrown', reason: String(error.message || error) };
  }
  const status = answer.status || answer;
  assert.notStrictEqual(status.error_code, 'Success', `accepted: ${JSON.stringify(answer).slice(0, 200)}`);
  return status;
}

async function waitUntil(holds, seconds) {
  const end = Date.now() + seconds * 1000;
  while (!(await holds())) {
    if (Date.now() > end) return false;
    await new Promise((wake) => setTimeout(wake, 200));
  }
  return true;
}

function field(name, data_type, more = {}) {
  const { dim, max_length, ...rest } = more;
  const sizes = { ...(dim && { dim: early ? String(dim) : dim }), ...(max_length && { max_length: early ? String(max_length) : max_length }) };
  return { name, description: '', data_type, ...rest, ...(early ? { type_params: sizes } : sizes) };
}

const KEY = field('id', DataType.Int64, { is_primary_key: true, autoID: false });

async function fresh(name, fields) {
  await collections.releaseCollection({ collection_name: name }).catch(() => {});
  await collections.dropCollection({ collection_name: name }).catch(() => {});
  good(await collections.createCollection({ collection_name: name, consistency_level: 'Strong', fields }));
}

function indexRequest(name, index_type, params, metric_type = 'L2') {
  const at = { collection_name: name, field_name: 'vector' };
  return early
    ? { ...at, extra_params: { index_type, metric_type, params: JSON.stringify(params) } }
    : { ...at, index_name: 'vector', index_type, metric_type, params };
}

function search(name, vector, limit, params, more = {}) {
  const { expr, ...rest } = more;
  // Without an index nothing but the request says which metric is meant.
  if (!early) return client.search({ collection_name: name, data: vector, anns_field: 'vector', metric_type: 'L2', limit, params, filter: expr, ...rest });
  return data.search({
    collection_name: name, vectors: [vector], vector_type: DataType.FloatVector, expr: expr || '',
    search_params: { anns_field: 'vector', topk: String(limit), metric_type: 'L2', params: JSON.stringify(params), round_decimal: -1 }, ...rest,
  });
}

async function nearestAreTrue(name, count, params, wanted) {
  let found = 0;
  for (const query of queries) {
    const truth = neighbours(query, vectors.slice(0, count)).slice(0, 10);
    const hits = good(await search(name, query, 10, params)).results;
    assert.strictEqual(hits.length, 10);
    for (const hit of hits) found += hit.score <= truth[9].distance + 1e-4 ? 1 : 0;
    assert.ok(Math.abs(hits[0].score - neighbours(query, [vectors[Number(hits[0].id)]])[0].distance) < 1e-3, `score ${hits[0].score}`);
  }
  assert.ok(found / (queries.length * 10) >= wanted, `recall ${found / (queries.length * 10)}, wanted ${wanted}`);
}

async function fill(name, count) {
  for (let at = 0; at < count; at += 1000) {
    const part = vectors.slice(at, Math.min(count, at + 1000)).map((vector, offset) => ({ id: at + offset, vector }));
    good(await data.insert({ collection_name: name, fields_data: part }));
  }
  good(await data.flushSync({ collection_names: [name] }));
}

async function page(check, index_type, params, effort, wanted) {
  const name = `node_page_${index_type.toLowerCase()}`;
  const of = { collection_name: name, field_name: 'vector', ...(early ? {} : { index_name: 'vector' }) };
  const files = options.data && elanus ? indexFiles(options.data) : null;
  const newFiles = () => indexFiles(options.data).filter((file) => !files.includes(file));
  await fresh(name, [KEY, field('vector', DataType.FloatVector, { dim: 384 })]);
  await fill(name, ROWS);
  await check('createIndex answers Success', async () => good(await indexes.createIndex(indexRequest(name, index_type, params))));
  await check('describeIndex returns the parameters that were given', async () => {
    const described = good(await indexes.describeIndex(of)).index_descriptions;
    assert.strictEqual(described.length, 1);
    assert.strictEqual(described[0].field_name, 'vector');
    const given = Object.fromEntries(described[0].params.map((pair) => [pair.key, pair.value]));
    assert.deepStrictEqual([given.index_type, given.metric_type], [index_type, 'L2']);
    assert.deepStrictEqual(JSON.parse(given.params || '{}'), params);
  });
  await check('getIndexState ends with Finished', async () => {
    assert.ok(await waitUntil(async () => good(await indexes.getIndexState(of)).state === 'Finished', 60));
  });
  await check('getIndexBuildProgress reaches total = indexed', async () => {
    const ended = async () => {
      const progress = good(await indexes.getIndexBuildProgress(of));
      return Number(progress.total_rows) === ROWS && Number(progress.indexed_rows) === ROWS;
    };
    assert.ok(await waitUntil(ended, 60), JSON.stringify(await indexes.getIndexBuildProgress(of)));
  });
  if (files && index_type !== 'FLAT') await check('the index is a file in the data folder', async () => assert.ok(await waitUntil(() => newFiles().length > 0, 30)));
  await load(name);
  await check('search returns the true neighbours', () => nearestAreTrue(name, ROWS, effort, wanted));
  good(await collections.releaseCollection({ collection_name: name }));
  await check('dropIndex answers Success', async () => good(await indexes.dropIndex(of)));
  await check('describeIndex then says that there is none', async () => {
    const status = await refusal(() => indexes.describeIndex(of));
    assert.strictEqual(status.error_code, 'IndexNotExist');
    assert.match(status.reason, /index not found|index doesn't exist|IndexNotExist/);
  });
  if (elanus) {
    if (files) await check('the index files are gone from the data folder', async () => assert.ok(await waitUntil(() => newFiles().length === 0, 60), newFiles().join()));
    await check('search after a reload without an index scans', async () => {
      await load(name);
      await nearestAreTrue(name, ROWS, effort, 1);
      good(await collections.releaseCollection({ collection_name: name }));
    });
  }
  good(await collections.dropCollection({ collection_name: name }));
}

async function load(name) {
  good(await (collections.loadCollectionSync || collections.loadCollection).call(collections, { collection_name: name }));
}

async function catalogue(check) {
  const name = 'node_catalogue';
  await fresh(name, [KEY, field('year', DataType.Int64), field('title', DataType.VarChar, { max_length: 300 }), field('vector', DataType.FloatVector, { dim: 384 })]);
  await check('has, show, describe', async () => {
    assert.strictEqual(good(await collections.hasCollection({ collection_name: name })).value, true);
    assert.strictEqual((await collections.hasCollection({ collection_name: 'node_never_was' })).value, false);
    assert.ok(good(await collections.showCollections()).data.some((one) => one.name === name));
    const described = good(await collections.describeCollection({ collection_name: name }));
    assert.deepStrictEqual(described.schema.fields.map((one) => [one.name, one.data_type]), [['id', 'Int64'], ['year', 'Int64'], ['title', 'VarChar'], ['vector', 'FloatVector']]);
  });
  await check('partitions', async () => {
    good(await partitions.createPartition({ collection_name: name, partition_name: 'old' }));
    assert.strictEqual(good(await partitions.hasPartition({ collection_name: name, partition_name: 'old' })).value, true);
    const shown = await (partitions.showPartitions || partitions.listPartitions).call(partitions, { collection_name: name });
    assert.deepStrictEqual([...good(shown).partition_names].sort(), ['_default', 'old']);
    good(await partitions.dropPartition({ collection_name: name, partition_name: 'old' }));
  });
  await check('aliases', async () => {
    good(await collections.createAlias({ collection_name: name, alias: 'node_alias' }));
    const described = good(await collections.describeCollection({ collection_name: 'node_alias' }));
    assert.strictEqual(described.schema.fields.length, 4);
    good(await collections.dropAlias({ alias: 'node_alias' }));
  });
  await rowsThrough(check, name);
  good(await collections.releaseCollection({ collection_name: name }));
  await check('drop', async () => {
    good(await collections.dropCollection({ collection_name: name }));
    assert.strictEqual((await collections.hasCollection({ collection_name: name })).value, false);
  });
}

async function rowsThrough(check, name) {
  await check('insert and count', async () => {
    const given = rows.slice(0, 1200).map((row) => ({ id: row.id, year: row.year, title: row.title, vector: vectors[row.id] }));
    assert.strictEqual(Number(good(await data.insert({ collection_name: name, fields_data: given })).insert_cnt), 1200);
    good(await data.flushSync({ collection_names: [name] }));
    const stats = good(await collections.getCollectionStatistics({ collection_name: name }));
    assert.strictEqual(Number(stats.data.row_count), 1200);
  });
  good(await indexes.createIndex(indexRequest(name, 'IVF_FLAT', { nlist: 16 })));
  await load(name);
  await check('query with a filter', async () => {
    const request = { collection_name: name, output_fields: ['id', 'title'] };
    const answer = good(await data.query({ ...request, ...(early ? { expr: 'year == 2019' } : { filter: 'year == 2019', limit: 1000 }) }));
    const wanted = rows.slice(0, 1200).filter((row) => row.year === 2019);
    assert.deepStrictEqual(answer.data.map((row) => row.title).sort(), wanted.map((row) => row.title).sort());
  });
  await check('search with a filter and output fields', async () => {
    const hits = good(await search(name, queries[0], 5, { nprobe: 16 }, { expr: 'year == 2018', output_fields: ['id', 'title', 'year'] })).results;
    const old = new Set(rows.slice(0, 1200).filter((row) => row.year === 2018).map((row) => row.id));
    const truth = neighbours(queries[0], vectors.slice(0, 1200)).filter((one) => old.has(one.id)).slice(0, 5);
    assert.deepStrictEqual(hits.map((hit) => Number(hit.id)), truth.map((one) => one.id));
    assert.deepStrictEqual(hits.map((hit) => hit.title), truth.map((one) => rows[one.id].title));
  });
  await check('delete', async () => {
    good(await data.deleteEntities({ collection_name: name, expr: 'id in [1, 2]' }));
    const request = { collection_name: name, output_fields: ['id'] };
    const answer = good(await data.query({ ...request, ...(early ? { expr: 'id in [1, 2, 3]' } : { filter: 'id in [1, 2, 3]' }) }));
    assert.deepStrictEqual(answer.data.map((row) => Number(row.id)), [3]);
  });
}

async function refusals(check) {
  const name = 'node_refusals';
  await fresh(name, [KEY, field('vector', DataType.FloatVector, { dim: 384 })]);
  const expect = (what, call, words, code) => check(what, async () => {
    const status = await refusal(call);
    if (elanus && status.error_code !== 'thrown') {
      assert.match(status.reason, words);
      if (code) assert.ok(code.includes(status.error_code), `error_code ${status.error_code}`);
    }
  });
  await expect('describeIndex without an index', () => indexes.describeIndex({ collection_name: name, field_name: 'vector' }), /index not found/, ['IndexNotExist']);
  await expect('unknown index type', () => indexes.createIndex(indexRequest(name, 'NOPE', {})), /invalid index type/i, ['IllegalArgument', 'UnexpectedError']);
  await expect('nlist 0', () => indexes.createIndex(indexRequest(name, 'IVF_FLAT', { nlist: 0 })), /nlist/, ['IllegalArgument', 'UnexpectedError']);
  await expect('a metric of bits', () => indexes.createIndex(indexRequest(name, 'IVF_FLAT', { nlist: 16 }, 'HAMMING')), /metric/, ['IllegalArgument', 'UnexpectedError']);
  await expect('index on an unknown field', () => indexes.createIndex({ ...indexRequest(name, 'IVF_FLAT', { nlist: 16 }), field_name: 'nope' }), /nope|non-exist/, null);
  await expect('search before load', () => search(name, queries[0], 1, {}), /not loaded/, ['UnexpectedError']);
  await expect('load an unknown collection', () => collections.loadCollection({ collection_name: 'node_never_was' }), /collection not found|can't find collection/, ['CollectionNotExists', 'UnexpectedError']);
  await expect('a name that begins with a digit', () => collections.createCollection({ collection_name: '1abc', fields: [KEY, field('vector', DataType.FloatVector, { dim: 384 })] }), /Invalid collection name/, ['IllegalArgument', 'UnexpectedError']);
  good(await collections.dropCollection({ collection_name: name }));
}

(async () => {
  if (client.connectPromise) await client.connectPromise;
  const report = new Report(version, options.target);
  await report.feature('Connection', async (check) => {
    await check('getVersion, checkHealth', async () => {
      assert.match(good(await client.getVersion()).version, /\d+\.\d+/);
      assert.strictEqual((await client.checkHealth()).isHealthy, true);
    });
  });
  await report.feature('Manage Indexes page: IVF_FLAT', (check) => page(check, 'IVF_FLAT', { nlist: 1024 }, { nprobe: 1024 }, 1));
  await report.feature('Manage Indexes page: HNSW', (check) => page(check, 'HNSW', { M: 16, efConstruction: 200 }, { ef: 256 }, 0.98));
  await report.feature('Manage Indexes page: FLAT', (check) => page(check, 'FLAT', {}, {}, 1));
  await report.feature('Manage Indexes page: a small collection', async (check) => {
    const name = 'node_page_small';
    const of = { collection_name: name, field_name: 'vector', ...(early ? {} : { index_name: 'vector' }) };
    await fresh(name, [KEY, field('vector', DataType.FloatVector, { dim: 384 })]);
    await fill(name, 500);
    await check('createIndex on 500 rows ends and counts them all', async () => {
      good(await indexes.createIndex(indexRequest(name, 'IVF_FLAT', { nlist: 128 })));
      assert.ok(await waitUntil(async () => good(await indexes.getIndexState(of)).state === 'Finished', 60));
      const progress = good(await indexes.getIndexBuildProgress(of));
      assert.deepStrictEqual([Number(progress.total_rows), Number(progress.indexed_rows)], [500, 500]);
    });
    good(await collections.dropCollection({ collection_name: name }));
  });
  await report.feature('Collections', catalogue);
  await report.feature('Refusals: what is missing', refusals);
  if (!early && elanus) {
    for (const [name, feature] of require('./newer')({ client, sdk, good, refusal })) await report.feature(name, feature);
  }
  const code = report.finish(options.out);
  await client.closeConnection();
  process.exit(code);
})().catch((error) => {
  console.error(error);
  process.exit(1);
});

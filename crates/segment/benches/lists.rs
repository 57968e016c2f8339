//! Lists of vectors under masks: recall against all lists, and the time of a query against that of one without a mask, both taken in turns.
//! Lists are four images each of one digit, in the order of the set; so are queries. Of each query the quickest of many turns counts.
//! `cargo bench -p segment --bench lists -- [kinds=HNSW,FLAT] [rows=40000] [masks=label 3]`, of which `rows` are vectors.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]
#![expect(clippy::unwrap_used, reason = "a bench may fail loudly")]

#[expect(dead_code, reason = "shared with the benches of indexes, which have more sets")]
#[path = "../../index/benches/table/data.rs"]
mod data_sets;

use data::{Batch, Column, Field, FieldId, Lists, PartitionId, Schema, SegmentId, Timestamp, Type, Values};
use host::{Cancel, Pool, Progress, Rng};
use index::{Element, Hits, Index, Query, Spec, Vectors, build};
use segment::{Growing, Mask, NearestLists, Sealed, Segment, items_of, vectors_of, write};
use simd::Bits;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;
use store::{MemoryDisk, Store};

const K: usize = 10;
/// Vectors of a list.
const LENGTH: usize = 4;
const QUERIES: usize = 100;
const TURNS: usize = 15;
const FIELD: FieldId = FieldId(100);

/// What to build, and how to search it.
const KINDS: [(&str, &str, &str); 4] = [
    ("FLAT", "", ""),
    ("IVF_FLAT", "nlist=489", "nprobe=24"),
    ("HNSW", "M=16 efConstruction=100", "ef=40"),
    ("HNSW_SQ", "M=16 efConstruction=100 sq_type=SQ8", "ef=40"),
];

fn pairs(words: &str) -> Vec<(String, String)> {
    let pairs = words.split_whitespace().filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// Vectors in lists of one label each, and the labels of these.
fn lists(dim: usize, values: &[f32], labels: &[u8]) -> (Vec<f32>, Vec<u8>) {
    let mut waiting = vec![Vec::new(); 256];
    let (mut listed, mut of) = (Vec::new(), Vec::new());
    for (row, label) in values.chunks_exact(dim).zip(labels) {
        let list = &mut waiting[usize::from(*label)];
        list.extend_from_slice(row);
        if list.len() == LENGTH * dim {
            listed.append(list);
            of.push(*label);
        }
    }
    (listed, of)
}

/// A segment of such lists in a file.
fn seal(dim: usize, values: Vec<f32>) -> Arc<Sealed> {
    let rows = values.len() / (LENGTH * dim);
    let offsets: Vec<i64> = (0..=rows).map(|row| (row * LENGTH) as i64).collect();
    let lists = Lists::new(offsets.into(), Column::from_vectors(dim, values).unwrap()).unwrap();
    let column = Column::new(Values::Array(lists), None).unwrap();
    let key = Field { id: FieldId(99), ..Field::new("id", Type::Int64).primary() };
    let field = Field { id: FIELD, dim, ..Field::new("lists", Type::Array) };
    let field = field.with_elements(Type::FloatVector, LENGTH);
    let schema = Arc::new(Schema { fields: vec![key, field], ..Schema::default() });
    let growing = Growing::new(SegmentId(1), PartitionId(1), Arc::clone(&schema));
    let columns = vec![Column::from_ints((0..rows as i64).collect()), column];
    growing.append(Batch::new(rows, columns).unwrap(), Timestamp(3)).unwrap();
    let store = Store::open(Arc::new(MemoryDisk::new())).unwrap();
    write(&growing.freeze(), store.blobs(), "rows", &Cancel::new()).unwrap();
    Arc::new(Sealed::open(store.blobs(), "rows", SegmentId(1), PartitionId(1), schema).unwrap())
}

struct Work<'a> {
    segment: &'a Segment,
    queries: Vec<Vectors<'a>>,
    query: &'a Query,
    spec: &'a Spec,
}

impl Work<'_> {
    fn ask(&self, mask: &Mask, queries: &[Vectors<'_>]) -> Vec<Hits> {
        let (metric, cancel) = (self.spec.metric(), &Cancel::new());
        let request =
            NearestLists { field: FIELD, queries, query: self.query, ratio: 0.0, metric, mask, cancel };
        self.segment.search_lists(&request).unwrap()
    }

    /// Microseconds a query under each of `masks`.
    fn times_us<const N: usize>(&self, masks: [&Mask; N]) -> [f64; N] {
        let mut least = [(); N].map(|()| vec![f64::MAX; self.queries.len()]);
        for _ in 0..TURNS {
            for (mask, least) in masks.iter().zip(&mut least) {
                for (q, least) in least.iter_mut().enumerate() {
                    let start = Instant::now();
                    black_box(self.ask(mask, &self.queries[q..=q]));
                    *least = least.min(start.elapsed().as_secs_f64());
                }
            }
        }
        least.map(|least| least.iter().sum::<f64>() / least.len() as f64 * 1e6)
    }

    /// The share of `truth` that is found under `mask`.
    fn recall(&self, mask: &Mask, truth: &[Hits]) -> f64 {
        let (mut found, mut wanted) = (0, 0);
        for (hits, truth) in self.ask(mask, &self.queries).iter().zip(truth) {
            assert_eq!(hits.len(), truth.len(), "as many lists as match, up to k");
            assert!(hits.rows.iter().all(|row| mask.get(*row as usize)));
            found += hits.rows.iter().filter(|row| truth.rows.contains(row)).count();
            wanted += truth.len();
        }
        found as f64 / wanted.max(1) as f64
    }
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let word = |name: &str| words.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
    let has = |name: &str, value: &str| word(name).is_none_or(|all| all.split(',').any(|one| one == value));
    let most: usize = word("rows").map_or(40_000, |rows| rows.parse().unwrap());
    let set = data_sets::set("mnist");
    let labels_of = |part: &str, rows: usize| {
        data_sets::file(&format!("mnist-784/{part}_labels.npy")).unwrap_or_else(|| vec![0; rows])
    };
    let dim = set.dim;
    let rows = most.min(set.rows.len() / dim);
    let (values, labels) = lists(dim, &set.rows[..rows * dim], &labels_of("train", rows));
    let (asked, _) = lists(dim, &set.queries, &labels_of("test", set.queries.len() / dim));
    let asked = Vectors::F32 { dim, values: &asked };
    let asked = (0..QUERIES).map(|q| asked.slice(q * LENGTH..(q + 1) * LENGTH)).collect::<Vec<_>>();
    let sealed = seal(dim, values);
    let segment = Segment::Sealed(Arc::clone(&sealed));
    let column = sealed.column(FIELD).unwrap();
    let items = items_of(&column).unwrap();
    let vectors = vectors_of(items.items()).unwrap();
    let all = Mask::all(labels.len());
    let mut rng = Rng::new(7);
    let mut masks = [50.0, 10.0, 1.0, 0.1].map(|percent| {
        let name = format!("random {percent} %");
        (name, Bits::from_fn(labels.len(), |_| rng.chance(percent / 100.0)))
    });
    let mut masks: Vec<_> = masks.iter_mut().map(|(name, bits)| (name.clone(), bits.clone())).collect();
    masks.push(("labels 0 to 4".to_owned(), Bits::from_fn(labels.len(), |row| labels[row] < 5)));
    masks.push(("label 3".to_owned(), Bits::from_fn(labels.len(), |row| labels[row] == 3)));
    let masks: Vec<(String, Mask)> =
        masks.into_iter().map(|(name, bits)| (name, Mask::from_bits(bits))).collect();
    for (kind, built, searched) in KINDS.iter().filter(|(kind, ..)| has("kinds", kind)) {
        let params = pairs(&format!("index_type={kind} metric_type=L2 {built}"));
        let spec = Spec::parse(Element::F32, dim, &params).unwrap();
        let query = spec.query(K, &pairs(searched)).unwrap();
        let work = Work { segment: &segment, queries: asked.clone(), query: &query, spec: &spec };
        sealed.detach_index(FIELD);
        let truth: Vec<Vec<Hits>> = std::iter::once(&all)
            .chain(masks.iter().map(|(_, mask)| mask))
            .map(|mask| work.ask(mask, &work.queries))
            .collect();
        let pool = Pool::new("build", 2).unwrap();
        let image = build(&spec, vectors, 1, &pool, &Cancel::new(), &Progress::new()).unwrap();
        sealed.attach_index(FIELD, Arc::new(Index::open(&spec, image, vectors.len()).unwrap()));
        let begun = Instant::now();
        let now_ns = || u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
        segment.calibrate(FIELD, &now_ns);
        let bare = work.recall(&all, &truth[0]);
        println!("{kind} {built} {searched}: {} lists, recall {bare:.3} without a mask", labels.len());
        for ((name, mask), truth) in masks.iter().zip(&truth[1..]).filter(|((name, _), _)| has("masks", name))
        {
            let recall = work.recall(mask, truth);
            let [bare, masked] = work.times_us([&all, mask]);
            println!(
                "{name:>20}: {:6} match, recall {recall:.3}, {masked:7.1} us against {bare:7.1}: {:5.2}x",
                mask.count(),
                bare / masked
            );
        }
    }
}

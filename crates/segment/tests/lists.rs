//! Searches for whole lists of vectors under masks of any density against plain loops: with every kind of index that is not told of lists,
//! and without one.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on may stop")]

use data::{Batch, Column, Field, FieldId, Lists, PartitionId, Schema, SegmentId, Timestamp, Type, Values};
use host::{Cancel, Pool, Progress, Rng};
use index::{Element, Index, Metric, Spec, Vectors, build};
use segment::{Growing, Mask, Nearest, NearestLists, Sealed, Segment, items_of, vectors_of, write};
use simd::Bits;
use std::sync::Arc;
use store::{MemoryDisk, Store};

const FIELD: FieldId = FieldId(100);
const ROWS: usize = 6000;
const DIM: usize = 12;
const K: usize = 10;

/// Up to seven vectors a list, and where each list begins and the last ends.
fn lists() -> (Vec<f32>, Vec<i64>) {
    let mut rng = Rng::new(3);
    let centres: Vec<f32> = (0..20 * DIM).map(|_| 2.0 * rng.normal() as f32).collect();
    let (mut values, mut offsets) = (Vec::new(), vec![0]);
    for _ in 0..ROWS {
        let centre = rng.below(20) as usize * DIM;
        for _ in 0..rng.below(8) {
            values.extend(centres[centre..centre + DIM].iter().map(|value| value + rng.normal() as f32));
        }
        offsets.push((values.len() / DIM) as i64);
    }
    (values, offsets)
}

fn growing(values: &[f32], offsets: &[i64]) -> (Growing, Arc<Schema>) {
    let column = Column::from_vectors(DIM, values.to_vec()).unwrap();
    let lists = Lists::new(offsets.to_vec().into(), column).unwrap();
    let key = Field { id: FieldId(99), ..Field::new("id", Type::Int64).primary() };
    let field = Field { id: FIELD, dim: DIM, ..Field::new("lists", Type::Array) };
    let fields = vec![key, field.with_elements(Type::FloatVector, 8)];
    let schema = Arc::new(Schema { fields, ..Schema::default() });
    let growing = Growing::new(SegmentId(1), PartitionId(1), Arc::clone(&schema));
    let column = Column::new(Values::Array(lists), None).unwrap();
    let columns = vec![Column::from_ints((0..ROWS as i64).collect()), column];
    growing.append(Batch::new(ROWS, columns).unwrap(), Timestamp(3)).unwrap();
    (growing, schema)
}

/// The sum of the squared distances to the nearest vector of the list; `None` of an empty list.
fn score(query: &[f32], list: &[f32]) -> Option<f64> {
    let distance = |a: &[f32], b: &[f32]| -> f64 {
        a.iter().zip(b).map(|(a, b)| f64::from(a - b) * f64::from(a - b)).sum()
    };
    let of =
        |vector: &[f32]| list.chunks_exact(DIM).map(|item| distance(vector, item)).min_by(f64::total_cmp);
    query.chunks_exact(DIM).map(of).sum()
}

fn masks() -> Vec<Mask> {
    let spread = |matching: usize| Bits::from_fn(ROWS, |row| row * 1997 % ROWS < matching);
    let counts = [ROWS - 1, ROWS / 2, ROWS / 10, ROWS / 100, ROWS / 1000, 1, 0];
    let some = counts.into_iter().map(|count| Mask::from_bits(spread(count)));
    std::iter::once(Mask::all(ROWS)).chain(some).collect()
}

#[test]
fn lists_and_their_vectors_are_found_under_any_mask_as_many_as_there_are() {
    let (values, offsets) = lists();
    let (growing, schema) = growing(&values, &offsets);
    let store = Store::open(Arc::new(MemoryDisk::new())).unwrap();
    write(&growing.freeze(), store.blobs(), "rows", &Cancel::new()).unwrap();
    let open = Sealed::open(store.blobs(), "rows", SegmentId(1), PartitionId(1), schema);
    let sealed = Arc::new(open.unwrap());
    let column = sealed.column(FIELD).unwrap();
    let items = items_of(&column).unwrap();
    let vectors = vectors_of(items.items()).unwrap();
    let segment = Segment::Sealed(Arc::clone(&sealed));
    let flat = spec("FLAT", "");
    check(&flat, &Segment::Growing(Arc::new(growing)), (&values, &offsets), 1.0);
    check(&flat, &segment, (&values, &offsets), 1.0);
    for (kind, own) in [
        ("FLAT", ""),
        ("IVF_FLAT", "nlist=64"),
        ("IVF_SQ8", "nlist=64"),
        ("IVF_PQ", "nlist=64 m=6"),
        ("IVF_RABITQ", "nlist=64 refine=true"),
        ("SCANN", "nlist=64"),
        ("HNSW", "M=16 efConstruction=64"),
        ("HNSW_SQ", "M=16 efConstruction=64 sq_type=SQ8"),
        ("HNSW_PQ", "M=16 efConstruction=64 m=6 refine=true"),
        ("HNSW_PRQ", "M=16 efConstruction=64 m=3 refine=true"),
        ("DISKANN", "max_degree=16 search_list_size=64 pq_code_budget_gb_ratio=0.25"),
        ("AISAQ", "max_degree=16 search_list_size=64 pq_code_budget_gb_ratio=0.25"),
    ] {
        let spec = spec(kind, own);
        let image = build(&spec, vectors, 1, &Pool::inline(), &Cancel::new(), &Progress::new()).unwrap();
        sealed.attach_index(FIELD, Arc::new(Index::open(&spec, image, vectors.len()).unwrap()));
        segment.calibrate(FIELD, &|| 7);
        check(&spec, &segment, (&values, &offsets), 0.9);
    }
}

fn spec(kind: &str, own: &str) -> Spec {
    Spec::parse(Element::F32, DIM, &pairs(&format!("index_type={kind} metric_type=L2 {own}"))).unwrap()
}

fn pairs(words: &str) -> Vec<(String, String)> {
    let pairs = words.split_whitespace().filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// Asks for lists, and for single vectors of lists, under all masks; `floor` is the least share of the true lists found.
fn check(spec: &Spec, segment: &Segment, (values, offsets): (&[f32], &[i64]), floor: f64) {
    let query = spec.query(K, &pairs("ef=64 nprobe=32 search_list=64 refine_k=8 reorder_k=80")).unwrap();
    let kind = spec.index_type();
    let list = |row: usize| &values[offsets[row] as usize * DIM..offsets[row + 1] as usize * DIM];
    let asked: Vec<&[f32]> = (0..ROWS).map(list).filter(|list| list.len() == 3 * DIM).take(4).collect();
    let queries: Vec<Vectors<'_>> = asked.iter().map(|values| Vectors::F32 { dim: DIM, values }).collect();
    let (metric, cancel) = (Metric::L2, &Cancel::new());
    for mask in &masks() {
        let request =
            NearestLists { field: FIELD, queries: &queries, query: &query, ratio: 0.0, metric, mask, cancel };
        let mut found = 0.0;
        for (asked, hits) in asked.iter().zip(segment.search_lists(&request).unwrap()) {
            let scored = mask.iter().filter_map(|row| Some((score(asked, list(row as usize))?, row)));
            let mut truth: Vec<(f64, u32)> = scored.collect();
            truth.sort_by(|a, b| a.0.total_cmp(&b.0));
            truth.truncate(K);
            assert_eq!(
                hits.len(),
                truth.len(),
                "{kind}, {} match: as many as there are, up to k",
                mask.count()
            );
            for (row, near) in hits.rows.iter().zip(&hits.scores) {
                let want = score(asked, list(*row as usize)).unwrap();
                assert!(mask.get(*row as usize), "{kind}: only lists of the mask");
                assert!((f64::from(*near) - want).abs() <= 1e-3 * want.max(1.0), "{kind}: {near}, {want}");
            }
            let right = hits.rows.iter().filter(|row| truth.iter().any(|(_, other)| other == *row));
            found += right.count() as f64 / (truth.len().max(1) * queries.len()) as f64;
        }
        assert!(mask.count() == 0 || found >= floor, "{kind}, {} match: {found}", mask.count());
        let one = queries[0].slice(0..1);
        let request = Nearest {
            field: FIELD,
            queries: one,
            query: &query,
            metric,
            mask,
            use_index: true,
            awaits_index: false,
            cancel,
        };
        let hits = segment.search_elements(&request, None).unwrap();
        let there: usize = mask.iter().map(|row| list(row as usize).len() / DIM).sum();
        assert_eq!(hits[0].hits.len(), there.min(K), "{kind}, {} match: vectors", mask.count());
        for ((row, element), near) in
            hits[0].hits.rows.iter().zip(&hits[0].elements).zip(&hits[0].hits.scores)
        {
            let item = &list(*row as usize)[*element as usize * DIM..][..DIM];
            let want = score(&asked[0][..DIM], item).unwrap();
            assert!(
                mask.get(*row as usize) && (f64::from(*near) - want).abs() <= 1e-3 * want.max(1.0),
                "{kind}"
            );
        }
    }
}

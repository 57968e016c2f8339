//! Every kernel of one query and many rows, beside what a core reads from the second cache and from memory, and beside
//! numkong's kernel of a pair in a loop over the same rows. By turns in one process; the best of many turns counts.
//!
//! `cargo run --release --manifest-path bench/kernels/Cargo.toml` writes a table in Markdown.

mod rows;

use numkong::{Dot, Euclidean, Hamming, Jaccard};
use rows::{Rows, read};
use simd::{
    FAN, FanQuery, Half, Level, Lookups, NibbleQuery, Op, Planes, fan_bytes, nibble_bytes, nibble_dots,
};
use std::hint::black_box;
use std::time::{Duration, Instant};

/// Bytes of the rows that fit into the second cache, and of those that lie in memory.
const PLACES: [(&str, usize); 2] = [("cache", 256 << 10), ("memory", 96 << 20)];
/// How long each place and kernel is measured.
const TURNS: Duration = Duration::from_millis(250);

/// A kernel over all rows, as one pass.
type Pass<'a> = Box<dyn FnMut() + 'a>;

/// A kernel and its peer on the same rows.
struct Race<'a> {
    name: &'static str,
    row_bytes: usize,
    ours: Pass<'a>,
    peer: Option<Pass<'a>>,
}

impl<'a> Race<'a> {
    fn new(name: &'static str, row_bytes: usize, ours: impl FnMut() + 'a) -> Self {
        Self { name, row_bytes, ours: Box::new(ours), peer: None }
    }

    fn beside(self, peer: impl FnMut() + 'a) -> Self {
        Self { peer: Some(Box::new(peer)), ..self }
    }
}

/// Makes the compiler believe that a result is needed.
fn keep<T>(result: T) {
    let _ = black_box(result);
}

/// The best time of each pass, by turns.
fn best<const N: usize>(mut passes: [Option<&mut dyn FnMut()>; N]) -> [f64; N] {
    let mut best = [f64::INFINITY; N];
    let started = Instant::now();
    let mut turns = 0;
    while turns < 5 || started.elapsed() < TURNS {
        for (pass, best) in passes.iter_mut().zip(&mut best) {
            if let Some(pass) = pass {
                let at = Instant::now();
                pass();
                *best = best.min(at.elapsed().as_secs_f64());
            }
        }
        turns += 1;
    }
    best
}

fn main() {
    println!("# Kernels\n");
    println!(
        "Instructions: {}. Rows of 256 KB together (the second cache) and of 96 MB (memory), one core; \"reading\" is a plain loop over the\n\
         same bytes. Written by `cargo run --release --manifest-path bench/kernels/Cargo.toml`; what it means is in\n\
         `decisions/0341-kernels-beside-numkong.md`.\n",
        Level::current().name()
    );
    println!("| kernel | dim | place | ns a row | share of reading | numkong, ns | ours against it |");
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    for dim in [128, 768, 1536] {
        for (place, bytes) in PLACES {
            let rows = Rows::new(bytes, dim);
            for race in races(&rows) {
                one(race, &rows, dim, place);
            }
        }
    }
    println!();
    batches();
}

fn one(mut race: Race<'_>, rows: &Rows, dim: usize, place: &str) {
    let count = rows.bytes.len() / race.row_bytes;
    let span = &rows.bytes[..count * race.row_bytes];
    let mut reading = || keep(read(black_box(span)));
    let peer = race.peer.as_mut().map(|peer| &mut **peer as &mut dyn FnMut());
    let [ours, peer, reading] = best([Some(&mut *race.ours), peer, Some(&mut reading)]);
    let ns = |seconds: f64| seconds * 1e9 / count as f64;
    let versus =
        if peer.is_finite() { format!("{:.1} | {:.2}x", ns(peer), peer / ours) } else { "- | -".to_owned() };
    println!(
        "| {} | {dim} | {place} | {:.1} | {:.0} % | {versus} |",
        race.name,
        ns(ours),
        100.0 * reading / ours
    );
}

/// Floats and half floats.
fn races(rows: &Rows) -> Vec<Race<'_>> {
    let dim = rows.dim;
    let mut races = Vec::new();
    for (name, op) in [("IP f32", Op::Ip), ("L2 f32", Op::L2)] {
        let mut out = vec![0f32; rows.floats.len() / dim];
        let ours = move || {
            op.rows(&rows.query, &rows.floats, &mut out);
            black_box(&out);
        };
        races.push(Race::new(name, 4 * dim, ours).beside(move || {
            for row in rows.floats.chunks_exact(dim) {
                match op {
                    Op::Ip => keep(f32::dot(&rows.query, row)),
                    Op::L2 => keep(f32::sqeuclidean(&rows.query, row)),
                }
            }
        }));
    }
    races.extend(halves(rows));
    races.extend(bytes(rows));
    races.extend(codes(rows));
    races
}

fn halves(rows: &Rows) -> Vec<Race<'_>> {
    let dim = rows.dim;
    let mut races = Vec::new();
    for (name, half, op) in [
        ("IP f16", Half::F16, Op::Ip),
        ("L2 f16", Half::F16, Op::L2),
        ("IP bf16", Half::Bf16, Op::Ip),
        ("L2 bf16", Half::Bf16, Op::L2),
    ] {
        let whole = &rows.halves[..rows.halves.len() / (2 * dim) * 2 * dim];
        let mut out = vec![0f32; whole.len() / (2 * dim)];
        let ours = move || {
            half.rows(op, &rows.query, whole, &mut out);
            black_box(&out);
        };
        let race = Race::new(name, 2 * dim, ours);
        races.push(match half {
            Half::F16 => race.beside(pairs(&rows.f16s, dim, op)),
            Half::Bf16 => race.beside(pairs(&rows.bf16s, dim, op)),
        });
    }
    races
}

/// A pass over the rows by the other library's kernel of a pair.
fn pairs<T: Dot + Euclidean>(rows: &[T], dim: usize, op: Op) -> impl FnMut() {
    let query = &rows[..dim];
    move || {
        for row in rows.chunks_exact(dim) {
            match op {
                Op::Ip => keep(T::dot(query, row)),
                Op::L2 => keep(T::sqeuclidean(query, row)),
            }
        }
    }
}

fn bytes(rows: &Rows) -> Vec<Race<'_>> {
    let dim = rows.dim;
    let mut races = Vec::new();
    for (name, op) in [("IP i8", Op::Ip), ("L2 i8", Op::L2)] {
        let whole = &rows.signed[..rows.signed.len() / dim * dim];
        let mut out = vec![0i32; whole.len() / dim];
        let ours = move || {
            op.signed_rows(&whole[..dim], whole, &mut out);
            black_box(&out);
        };
        races.push(Race::new(name, dim, ours).beside(pairs(whole, dim, op)));
    }
    let mut out = vec![0i32; rows.signed.len() / dim];
    races.push(Race::new("IP u8 x i8", dim, move || {
        simd::dots(&rows.bytes[..dim], &rows.signed, |i| i * dim, &mut out);
        black_box(&out);
    }));
    let width = dim / 8;
    let query = &rows.bytes[..width];
    let hamming = move || rows.bytes.chunks_exact(width).for_each(|row| keep(simd::hamming(query, row)));
    let peer = move || {
        let query = &rows.bits[..width];
        rows.bits.chunks_exact(width).for_each(|row| keep(numkong::u1x8::hamming(query, row)));
    };
    races.push(Race::new("Hamming", width, hamming).beside(peer));
    let jaccard = move || rows.bytes.chunks_exact(width).for_each(|row| keep(simd::and_or(query, row)));
    let peer = move || {
        let query = &rows.bits[..width];
        rows.bits.chunks_exact(width).for_each(|row| keep(numkong::u1x8::jaccard(query, row)));
    };
    races.push(Race::new("Jaccard", width, jaccard).beside(peer));
    races
}

/// Codes of four bits and of one, in the layouts of the indexes.
fn codes(rows: &Rows) -> Vec<Race<'_>> {
    let dim = rows.dim;
    let mut races = Vec::new();
    let width = nibble_bytes(dim);
    let mut aim = NibbleQuery::default();
    aim.aim(&rows.query);
    let plane = &rows.bytes[..rows.bytes.len() / width * width];
    let mut dots = vec![0i32; plane.len() / width];
    let ours = move || {
        nibble_dots(std::slice::from_ref(&aim), plane, &mut dots);
        black_box(&dots);
    };
    races.push(Race::new("IP i8 x u4", width, ours).beside(move || {
        let query = &rows.fours[..width];
        rows.fours.chunks_exact(width).for_each(|row| keep(numkong::i4x2::dot(query, row)));
    }));

    if let Some(planes) = Planes::new(1) {
        let (width, query) = (planes.row_bytes(dim), vec![[3i8; 64]; dim.div_ceil(64)]);
        let mut dots = vec![0i32; rows.bytes.len() / width];
        races.push(Race::new("IP i8 x u1", width, move || {
            planes.dots(&query, &rows.bytes, |i| i * width, &mut dots);
            black_box(&dots);
        }));
    }

    let mut tables = Lookups::default();
    tables.aim_signs(&rows.query, 1.0);
    let block = Lookups::block_bytes(dim / 4);
    races.push(Race::new("1-bit codes, 32 rows a block", block / Lookups::ROWS, move || {
        let mut scores = [0f32; Lookups::ROWS];
        rows.bytes.chunks_exact(block).for_each(|block| keep(tables.scores(block, 0.0, -1.0, &mut scores)));
    }));

    let mut aim = FanQuery::default();
    aim.aim(&rows.query);
    let fan = fan_bytes(dim);
    races.push(Race::new("1-bit codes, 2 x 16 rows", fan / FAN, move || {
        let mut scores = [0f32; 2 * FAN];
        rows.bytes.chunks_exact(2 * fan).for_each(|fans| keep(aim.scores(fans, (0.0, -1.0), &mut scores)));
    }));
    races
}

/// Many queries and many rows in the cache, against what the core multiplies and adds at most.
fn batches() {
    println!("| batch, dim 768 | pairs a second | share of the most products |");
    println!("| --- | --- | --- |");
    let rows = Rows::new(192 << 10, 768);
    let most = rows::products_a_second();
    let queries: Vec<f32> = rows.floats.iter().take(32 * 768).copied().collect();
    let count = rows.floats.len() / 768;
    let mut out = vec![0f32; 32 * count];
    for (name, op) in [("IP f32", Op::Ip), ("L2 f32", Op::L2)] {
        let [seconds] = best([Some(&mut || op.tile(768, &queries, &rows.floats, &mut out))]);
        let pairs = out.len() as f64 / seconds;
        println!("| {name} | {:.1} M | {:.0} % |", pairs / 1e6, 100.0 * pairs * 768.0 / most);
    }
}

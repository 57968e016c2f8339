//! Every kernel of one query and many rows, beside what bounds it and beside numkong's kernel of a pair in a loop over the same
//! rows. By turns in one process; the best of many turns counts.
//!
//! A kernel is bound by reading, from the second cache or from memory, or by its instructions: the cycles that those which its
//! sums cannot do without take in registers alone. These were measured on Zen 4 (`docs/decisions/0510-what-bounds-each-kernel.md`),
//! and a cycle is that of one multiply-add of sixteen floats.
//!
//! What is called is what the indexes call: for rows in the cache the kernels of any rows, for rows in memory those of rows one after
//! the other; where there are none of these, the caller asks for the rows to come.
//!
//! `cd bench/kernels && GLIBC_TUNABLES=glibc.malloc.hugetlb=1 cargo run --release -- [part of a kernel's name | dimension] ...` writes a table in Markdown.

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
/// How far ahead a caller asks for rows whose kernels do not: bytes.
const AHEAD: usize = 8 << 10;

/// A kernel over all rows, as one pass.
type Pass<'a> = Box<dyn FnMut() + 'a>;

/// A kernel and its peer on the same rows.
struct Race<'a> {
    name: &'static str,
    row_bytes: usize,
    /// Cycles that the instructions of a row take.
    cycles: f64,
    ours: Pass<'a>,
    peer: Option<Pass<'a>>,
}

impl<'a> Race<'a> {
    /// Instructions take `each` cycles for `unit` bytes of a row.
    fn new(
        name: &'static str,
        row_bytes: usize,
        (each, unit): (f64, usize),
        ours: impl FnMut() + 'a,
    ) -> Self {
        let cycles = each * row_bytes as f64 / unit as f64;
        Self { name, row_bytes, cycles, ours: Box::new(ours), peer: None }
    }

    fn beside(self, peer: impl FnMut() + 'a) -> Self {
        Self { peer: Some(Box::new(peer)), ..self }
    }
}

/// Makes the compiler believe that a result is needed.
fn keep<T>(result: T) {
    let _ = black_box(result);
}

/// Goes along items in pieces; where they lie in memory, asks for those to come.
fn pieces<T>(items: &[T], unit: usize, is_far: bool) -> impl Iterator<Item = &[T]> {
    let ahead = if is_far { AHEAD.div_ceil(unit) } else { usize::MAX };
    let later = items.chunks_exact(unit).skip(ahead).map(Some).chain(std::iter::repeat(None));
    items.chunks_exact(unit).zip(later).map(|(piece, later)| {
        later.into_iter().for_each(simd::prefetch_far);
        piece
    })
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
        "Instructions: {}. Rows of 256 KB together (the second cache) and of 96 MB (memory), one core. A kernel is bound by reading, which is\n\
         what a plain loop over the same bytes takes, or by its instructions, which is what they take alone: whichever is longer. Written by\n\
         `GLIBC_TUNABLES=glibc.malloc.hugetlb=1 cargo run --release` in `bench/kernels` (memory in large pages); what it means is in\n\
         `decisions/0510-what-bounds-each-kernel.md`.\n",
        Level::current().name()
    );
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let (dims, names): (Vec<_>, Vec<_>) = wanted.iter().partition(|word| word.parse::<usize>().is_ok());
    let products = rows::products_a_second();
    println!(
        "| kernel | dim | place | ns a row | bound by | share of that | numkong, ns | ours against it |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- |");
    for dim in [128, 768, 1536] {
        if !dims.is_empty() && !dims.contains(&&dim.to_string()) {
            continue;
        }
        for (place, bytes) in PLACES {
            let rows = Rows::new(bytes, dim);
            for race in races(&rows) {
                if names.is_empty() || names.iter().any(|name| race.name.contains(name.as_str())) {
                    one(race, &rows, place, 16.0 / products);
                }
            }
        }
    }
    if wanted.is_empty() {
        println!();
        batches(products);
    }
}

fn one(mut race: Race<'_>, rows: &Rows, place: &str, cycle: f64) {
    let count = rows.bytes.len() / race.row_bytes;
    let span = &rows.bytes[..count * race.row_bytes];
    let mut reading = || keep(read(black_box(span)));
    let peer = race.peer.as_mut().map(|peer| &mut **peer as &mut dyn FnMut());
    let [ours, peer, reading] = best([Some(&mut *race.ours), peer, Some(&mut reading)]);
    let ns = |seconds: f64| seconds * 1e9 / count as f64;
    let versus =
        if peer.is_finite() { format!("{:.1} | {:.2}x", ns(peer), peer / ours) } else { "- | -".to_owned() };
    let instructions = race.cycles * cycle * count as f64;
    let (bound, least) =
        if reading > instructions { ("reading", reading) } else { ("instructions", instructions) };
    println!(
        "| {} | {} | {place} | {:.1} | {bound} | {:.0} % | {versus} |",
        race.name,
        rows.dim,
        ns(ours),
        100.0 * least / ours
    );
}

/// Floats and half floats.
fn races(rows: &Rows) -> Vec<Race<'_>> {
    let dim = rows.dim;
    let mut races = Vec::new();
    for (name, op, cycles) in [("IP f32", Op::Ip, 1.0), ("L2 f32", Op::L2, 1.13)] {
        let mut out = vec![0f32; rows.floats.len() / dim];
        let ours = move || {
            if rows.is_far() {
                op.rows(&rows.query, &rows.floats, &mut out);
            } else {
                op.each(&rows.query, &rows.floats, |i| i * dim, &mut out);
            }
            black_box(&out);
        };
        races.push(Race::new(name, 4 * dim, (cycles, 64), ours).beside(move || {
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
    for (name, half, op, cycles) in [
        ("IP f16", Half::F16, Op::Ip, 1.66),
        ("L2 f16", Half::F16, Op::L2, 2.0),
        ("IP bf16", Half::Bf16, Op::Ip, 1.33),
        ("L2 bf16", Half::Bf16, Op::L2, 1.86),
    ] {
        let whole = &rows.halves[..rows.halves.len() / (2 * dim) * 2 * dim];
        let mut out = vec![0f32; whole.len() / (2 * dim)];
        let ours = move || {
            if rows.is_far() {
                half.rows(op, &rows.query, whole, &mut out);
            } else {
                half.each(op, &rows.query, whole, |i| i * 2 * dim, &mut out);
            }
            black_box(&out);
        };
        let race = Race::new(name, 2 * dim, (cycles, 32), ours);
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
    for (name, op, cycles) in [("IP i8", Op::Ip, 1.24), ("L2 i8", Op::L2, 3.0)] {
        let whole = &rows.signed[..rows.signed.len() / dim * dim];
        let mut out = vec![0i32; whole.len() / dim];
        let ours = move || {
            if rows.is_far() {
                op.signed_rows(&whole[..dim], whole, &mut out);
            } else {
                op.signed_each(&whole[..dim], whole, |i| i * dim, |i, sum| out[i] = sum, whole.len() / dim);
            }
            black_box(&out);
        };
        races.push(Race::new(name, dim, (cycles, 64), ours).beside(pairs(whole, dim, op)));
    }
    let (whole, mut out) = (&rows.bytes, vec![0i32; rows.signed.len() / dim]);
    races.push(Race::new("IP u8 x i8", dim, (1.0, 64), move || {
        for (rows, out) in pieces(&rows.signed, 4 * dim, rows.is_far()).zip(out.as_chunks_mut::<4>().0) {
            simd::dots(&whole[..dim], rows, |i| i * dim, out);
        }
        black_box(&out);
    }));
    let width = dim / 8;
    let (query, count) = (&rows.bytes[..width], rows.bytes.len() / width);
    let mut out = vec![0; count];
    let hamming = move || {
        simd::hamming_rows(query, &rows.bytes, &mut out);
        black_box(&out);
    };
    let peer = move || {
        let query = &rows.bits[..width];
        rows.bits.chunks_exact(width).for_each(|row| keep(numkong::u1x8::hamming(query, row)));
    };
    races.push(Race::new("Hamming", width, (1.5, 64), hamming).beside(peer));
    let mut out = vec![(0, 0); count];
    let jaccard = move || {
        simd::and_or_rows(query, &rows.bytes, &mut out);
        black_box(&out);
    };
    let peer = move || {
        let query = &rows.bits[..width];
        rows.bits.chunks_exact(width).for_each(|row| keep(numkong::u1x8::jaccard(query, row)));
    };
    races.push(Race::new("Jaccard", width, (2.5, 64), jaccard).beside(peer));
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
    races.push(Race::new("IP i8 x u4", width, (2.5, 64), ours).beside(move || {
        let query = &rows.fours[..width];
        rows.fours.chunks_exact(width).for_each(|row| keep(numkong::i4x2::dot(query, row)));
    }));

    if let Some(planes) = Planes::new(1) {
        let (width, query) = (planes.row_bytes(dim), vec![[3i8; 64]; dim.div_ceil(64)]);
        let mut dots = vec![0i32; rows.bytes.len() / width];
        races.push(Race::new("IP i8 x u1", width, (2.0, 8), move || {
            planes.dots(&query, &rows.bytes, |i| i * width, &mut dots);
            black_box(&dots);
        }));
    }

    let mut tables = Lookups::default();
    tables.aim_signs(&rows.query, 1.0);
    let block = Lookups::block_bytes(dim / 4);
    races.push(Race::new("1-bit codes, 32 rows a block", block / Lookups::ROWS, (6.03, 64), move || {
        let mut scores = [0f32; Lookups::ROWS];
        rows.bytes.chunks_exact(block).for_each(|block| keep(tables.scores(block, 0.0, -1.0, &mut scores)));
    }));

    let mut aim = FanQuery::default();
    aim.aim(&rows.query);
    let fan = fan_bytes(dim);
    races.push(Race::new("1-bit codes, 2 x 16 rows", fan / FAN, (4.9, 64), move || {
        let mut scores = [0f32; 2 * FAN];
        pieces(&rows.bytes, 2 * fan, rows.is_far())
            .for_each(|fans| keep(aim.scores(fans, (0.0, -1.0), &mut scores)));
    }));
    races
}

/// Many queries and many rows in the cache, against what the core multiplies and adds at most.
fn batches(most: f64) {
    println!("| batch, dim 768 | pairs a second | share of the most products |");
    println!("| --- | --- | --- |");
    let rows = Rows::new(192 << 10, 768);
    let queries: Vec<f32> = rows.floats.iter().take(32 * 768).copied().collect();
    let count = rows.floats.len() / 768;
    let mut out = vec![0f32; 32 * count];
    for (name, op) in [("IP f32", Op::Ip), ("L2 f32", Op::L2)] {
        let [seconds] = best([Some(&mut || op.tile(768, &queries, &rows.floats, &mut out))]);
        let pairs = out.len() as f64 / seconds;
        println!("| {name} | {:.1} M | {:.0} % |", pairs / 1e6, 100.0 * pairs * 768.0 / most);
    }
}

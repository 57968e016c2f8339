//! What codes stand for in a search. Invariant: a posting says no less than the level of its code, and by no more than the gap more.
//!
//! By IP a code counts steps of its dimension. By BM25 (Robertson and Zaragoza, "The probabilistic relevance framework: BM25 and
//! beyond", 2009) what a word says that occurs `count` times is `(k1 + 1) / (1 + norm / count)`, where `norm = k1 (1 - b + b length / average)`
//! is known only when it is asked for, for the mean length changes with every document. With other constants than those of the time of building
//! `norm / count` is a linear function of what it was then and of `1 / count`; so the extremes of both, of all postings of a code, say between
//! which bounds its postings lie now. Postings of a code have about the same `count`, so that the bounds are near each other.

use crate::Error;
use crate::image::{Array, Image};
use crate::score::Bm25;

use super::coded::{CODE_MAX, CODES};

/// The level of what says most.
const LEVEL_MAX: u16 = 255 << 8;
/// How far rounding may move a bound, as a share.
const ROUNDING: f64 = 1e-5;

/// What codes of BM25 are made of.
#[derive(Debug)]
pub(super) struct Spans {
    /// The constants of the time of building.
    then: Bm25,
    /// For each code the least and the largest `norm / count` of then, and the least and the largest `1 / count`; infinite and 0 for a
    /// code that no posting has.
    of: Array<[f32; 4]>,
}

/// What a posting was made of at the time of building: `norm / count` and `1 / count`.
fn burden(then: &Bm25, count: f32, length: f32) -> (f64, f64) {
    let norm = then.k1 * (1.0 - then.b + then.b * (length / then.average));
    let inverse = 1.0 / f64::from(count);
    (f64::from(norm) * inverse, inverse)
}

/// Counts of a class are at most the bound of the class, those of the last any.
const CLASSES: [f32; 7] = [1.5, 2.5, 3.5, 4.5, 6.5, 10.5, f32::INFINITY];

/// Makes codes of counts.
pub(super) struct Coder {
    then: Bm25,
    /// For each class the least of what its postings say, and how many codes come before its own, in the order of classes.
    least: [f32; CLASSES.len()],
    before: [usize; CLASSES.len() + 1],
    /// How far what postings of a code say may differ.
    step: f32,
    /// The codes in the order of classes: the more it says, the larger is a code.
    codes: Vec<u8>,
    spans: Vec<[f32; 4]>,
}

/// The constants for rows of these lengths.
pub(super) fn constants(lengths: &[f32]) -> Bm25 {
    let total: f64 = lengths.iter().map(|length| f64::from(*length)).sum();
    let average = (total / lengths.len().max(1) as f64) as f32;
    Bm25 { k1: 1.2, b: 0.75, average }
}

/// What a posting says at most 1 of.
fn value(then: &Bm25, count: f32, length: f32) -> f32 {
    (1.0 / (1.0 + burden(then, count, length).0)) as f32
}

/// The class of a count.
fn class(count: f32) -> usize {
    CLASSES.iter().take_while(|bound| **bound < count).count()
}

impl Coder {
    /// For `postings`, each a count and the length of its row.
    pub(super) fn new(then: Bm25, postings: impl Iterator<Item = (f32, f32)>) -> Self {
        let (mut least, mut most) = ([f32::INFINITY; CLASSES.len()], [0f32; CLASSES.len()]);
        for (count, length) in postings {
            let (class, value) = (class(count), value(&then, count, length));
            least[class] = least[class].min(value);
            most[class] = most[class].max(value);
        }
        let ranges = least.iter().zip(&most).map(|(least, most)| (most - least).max(0.0));
        let step = (ranges.clone().sum::<f32>() / (CODES - CLASSES.len()) as f32).max(f32::MIN_POSITIVE);
        let (mut before, mut cells) = ([0; CLASSES.len() + 1], Vec::new());
        for (class, range) in ranges.enumerate() {
            // No more than there are codes, however sums are rounded.
            let left = CODES - (CLASSES.len() - 1 - class) - before[class];
            let count = ((range / step) as usize + 1).min(left);
            let least = least[class];
            cells.extend((0..count).map(|i| least + i as f32 * step));
            before[class + 1] = cells.len();
        }
        let mut order: Vec<usize> = (0..cells.len()).collect();
        order.sort_by(|a, b| cells[*a].total_cmp(&cells[*b]));
        let mut codes = vec![0; cells.len()];
        order.into_iter().zip(0..=u8::MAX).for_each(|(cell, code)| codes[cell] = code);
        let spans = vec![[f32::INFINITY, 0.0, f32::INFINITY, 0.0]; CODES];
        Self { then, least, before, step, codes, spans }
    }

    /// The code of a posting.
    pub(super) fn code(&self, count: f32, length: f32) -> u8 {
        let class = class(count);
        let above = (value(&self.then, count, length) - self.least[class]) / self.step;
        let cell = self.before[class] + above as usize;
        self.codes[cell.min(self.before[class + 1] - 1)]
    }

    /// Counts a posting in.
    pub(super) fn add(&mut self, count: f32, length: f32) {
        let (burden, inverse) = burden(&self.then, count, length);
        let code = self.code(count, length);
        let span = &mut self.spans[usize::from(code)];
        // What is infinite would look like no posting.
        let burden = (burden as f32).min(f32::MAX);
        span[0] = span[0].min(burden);
        span[1] = span[1].max(burden);
        span[2] = span[2].min(inverse as f32);
        span[3] = span[3].max(inverse as f32);
    }

    pub(super) fn write(self, image: &mut Image) {
        image.push("then", vec![self.then.k1, self.then.b, self.then.average]);
        image.push("spans", self.spans);
    }
}

impl Spans {
    /// Reads the sections back.
    pub(super) fn read(image: &Image) -> Result<Self, Error> {
        let then: Array<f32> = image.array("then", 3)?;
        let of: Array<[f32; 4]> = image.array("spans", CODES)?;
        if !then.iter().all(|number| number.is_finite() && *number > 0.0) {
            return Err(Error::Corrupt { what: "then" });
        }
        if !of.iter().flatten().all(|number| *number >= 0.0) {
            return Err(Error::Corrupt { what: "spans" });
        }
        Ok(Self { then: Bm25 { k1: then[0], b: then[1], average: then[2] }, of })
    }

    /// Between which shares of `k1 + 1` the postings of a code lie, with the constants `now`.
    fn bounds(&self, span: [f32; 4], now: &Bm25) -> (f64, f64) {
        let [least, most, fewest, largest] = span.map(f64::from);
        let parts = |bm25: &Bm25| {
            let (k1, b) = (f64::from(bm25.k1), f64::from(bm25.b));
            (k1 * (1.0 - b), k1 * b / f64::from(bm25.average))
        };
        let ((fixed_then, slope_then), (fixed, slope)) = (parts(&self.then), parts(now));
        let ratio = slope / slope_then;
        let rest = fixed - ratio * fixed_then;
        let (low, high) = if rest < 0.0 { (largest, fewest) } else { (fewest, largest) };
        let share = |burden: f64, inverse: f64, rounding: f64| {
            let (burden, rest) = (ratio * burden, rest * inverse);
            (1.0 - rounding) / (1.0 + (burden + rest + rounding * (burden.abs() + rest.abs())).max(0.0))
        };
        // What is no number bounds nothing.
        let or = |share: f64, other: f64| if share.is_nan() { other } else { share };
        (or(share(most, high, ROUNDING), 0.0), or(share(least, low, -ROUNDING), 1.0))
    }
}

/// What codes stand for, in parts of 65,536 of the most that one of 256 would say.
#[derive(Debug)]
pub(super) struct Levels {
    /// The level of each code; nothing where it is the code times 256.
    pub(super) table: Option<Box<[u16; CODES]>>,
    /// The largest level of each code and those below it.
    tops: Box<[u16; CODES]>,
    /// How far what a posting says may be above its level, as a share of what the largest level says.
    pub(super) gap: f64,
    /// What the largest level says, in a dimension of step 1.
    pub(super) most: f64,
}

impl Levels {
    /// Of codes that count steps.
    pub(super) fn steps() -> Self {
        let tops = Box::new(std::array::from_fn(|code| (code as u16) << 8));
        Self { table: None, tops, gap: 1.0 / f64::from(CODE_MAX), most: f64::from(CODE_MAX) }
    }

    /// Of codes of BM25, with the constants `now`; none if these are no usual ones.
    pub(super) fn of(spans: &Spans, now: &Bm25) -> Option<Self> {
        let is_usual = now.k1 >= 0.0 && (0.0..=1.0).contains(&now.b) && now.average > 0.0;
        if !is_usual || ![now.k1, now.average].iter().all(|number| number.is_finite()) {
            return None;
        }
        let bounds: Vec<Option<(f64, f64)>> =
            spans.of.iter().map(|span| (span[0].is_finite()).then(|| spans.bounds(*span, now))).collect();
        let top = bounds.iter().flatten().fold(f64::MIN_POSITIVE, |top, (_, high)| top.max(*high));
        let (mut table, mut tops) = (Box::new([0; CODES]), Box::new([0; CODES]));
        let (mut most, mut gap) = (0, 0f64);
        for (code, bounds) in bounds.iter().enumerate() {
            if let Some((low, high)) = bounds {
                let level = (low / top * f64::from(LEVEL_MAX)) as u16;
                gap = gap.max(high / top - f64::from(level) / f64::from(LEVEL_MAX));
                table[code] = level;
                most = most.max(level);
            }
            tops[code] = most;
        }
        Some(Self { table: Some(table), tops, gap, most: (f64::from(now.k1) + 1.0) * top })
    }

    /// The largest level of `code` and those below it.
    #[inline]
    pub(super) fn top(&self, code: u8) -> u16 {
        self.tops[usize::from(code)]
    }

    /// A code below which no level is so large; 256 if none is.
    pub(super) fn code(&self, level: f64) -> usize {
        self.tops.partition_point(|own| f64::from(*own) < level)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts and lengths as texts have them, and some as they hardly have them.
    fn postings() -> impl Iterator<Item = (f32, f32)> {
        (0..4000u32).map(|i| {
            let count = [1.0, 1.0, 2.0, 3.0, 0.25, 40.0][i as usize % 6];
            (count, 1.0 + (i.wrapping_mul(2_654_435_761) >> 22) as f32 * 0.5)
        })
    }

    #[test]
    fn whatever_the_constants_postings_lie_between_level_and_gap() {
        let lengths: Vec<f32> = postings().map(|(_, length)| length).collect();
        let then = constants(&lengths);
        let mut coder = Coder::new(then, postings());
        postings().for_each(|(count, length)| coder.add(count, length));
        let codes: Vec<u8> = postings().map(|(count, length)| coder.code(count, length)).collect();
        let mut image = Image::default();
        coder.write(&mut image);
        let spans = Spans::read(&image).expect("what was written");
        for (k1, b, share) in [
            (1.2, 0.75, 1.0),
            (1.2, 0.75, 1.1),
            (1.2, 0.75, 0.3),
            (0.0, 0.5, 1.0),
            (3.0, 0.0, 1.0),
            (2.0, 1.0, 7.0),
        ] {
            let now = Bm25 { k1, b, average: then.average * share };
            let levels = Levels::of(&spans, &now).expect("usual constants");
            if k1 == 1.2 && (1.0..1.5).contains(&share) {
                assert!(levels.gap < 0.03, "{} with {share} of the mean", levels.gap);
            }
            let table = levels.table.as_ref().expect("a table");
            for ((count, length), code) in postings().zip(&codes) {
                let says = f64::from(now.share(count, length)) / levels.most;
                assert!(table[usize::from(*code)] <= levels.top(*code));
                let level = f64::from(table[usize::from(*code)]) / f64::from(LEVEL_MAX);
                assert!(
                    says > level - 1e-6 && says < level + levels.gap + 1e-6,
                    "{says} {level} {k1} {b} {share}"
                );
            }
        }
        for (k1, b, average) in [(-1.0, 0.5, 9.0), (1.0, 1.5, 9.0), (1.0, 0.5, 0.0), (f32::NAN, 0.5, 1.0)] {
            assert!(Levels::of(&spans, &Bm25 { k1, b, average }).is_none());
        }
    }
}

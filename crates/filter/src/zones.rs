//! What is known of thousands of neighbouring rows without looking at them: the least and the greatest value, how many
//! are absent. Invariant: a verdict is what the evaluation of every single row of the zone would say, or "maybe".

use crate::eval::Rows;
use crate::predicate::{Access, Leaf, Node, Predicate, Test};
use crate::probe::{Question, question};
use data::{Column, Type, Values};
use std::ops::{Bound, Range, RangeBounds};

/// Rows of a zone; only the last may have fewer.
pub const ZONE_ROWS: usize = 4096;

/// What is known of one zone. Values are represented by keys that rise with them: numbers and moments exactly, texts by
/// their first eight bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Zone {
    /// The least key; more than `high` when there is no value but NaN.
    pub low: u64,
    /// The greatest key.
    pub high: u64,
    /// How many values are absent.
    pub nulls: u32,
    /// How many values are NaN, which have no key.
    pub nans: u32,
}

impl Zone {
    const EMPTY: Self = Self { low: u64::MAX, high: 0, nulls: 0, nans: 0 };

    fn add(&mut self, key: u64) {
        (self.low, self.high) = (self.low.min(key), self.high.max(key));
    }
}

/// The zones of the column of one field, in the order of its rows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Zones(Vec<Zone>);

impl Zones {
    /// Whether columns of `data_type` have zones.
    pub fn are_of(data_type: Type) -> bool {
        data_type.is_integer()
            || matches!(
                data_type,
                Type::Bool | Type::Float | Type::Double | Type::Timestamptz | Type::VarChar
            )
    }

    /// Takes zones that [`ZoneBuilder::finish`] has made.
    pub fn new(zones: Vec<Zone>) -> Self {
        Self(zones)
    }

    /// The zones.
    pub fn zones(&self) -> &[Zone] {
        &self.0
    }
}

/// Makes zones of a column, shown piece by piece.
#[derive(Debug, Default)]
pub struct ZoneBuilder {
    zones: Vec<Zone>,
    /// Of the last zone.
    rows: usize,
}

impl ZoneBuilder {
    /// Adds rows `rows` of `column`, which is of a type that has zones.
    pub fn add(&mut self, column: &Column, mut rows: Range<usize>) {
        while !rows.is_empty() {
            if self.zones.is_empty() || self.rows == ZONE_ROWS {
                self.zones.push(Zone::EMPTY);
                self.rows = 0;
            }
            let end = rows.end.min(rows.start + ZONE_ROWS - self.rows);
            if let Some(zone) = self.zones.last_mut() {
                extend(zone, column, rows.start..end);
            }
            self.rows += end - rows.start;
            rows.start = end;
        }
    }

    /// The zones.
    pub fn finish(self) -> Zones {
        Zones(self.zones)
    }
}

fn extend(zone: &mut Zone, column: &Column, rows: Range<usize>) {
    let validity = column.validity().filter(|validity| validity.null_count() > 0);
    if let Some(validity) = validity {
        zone.nulls += validity.slice(rows.start, rows.len()).null_count() as u32;
    }
    let is_there = |row: usize| validity.is_none_or(|validity| validity.is_valid(row));
    macro_rules! ints {
        ($values:expr) => {
            rows.filter(|row| is_there(*row)).for_each(|row| zone.add(int_key($values[row].into())))
        };
    }
    macro_rules! floats {
        ($values:expr) => {
            rows.filter(|row| is_there(*row)).for_each(|row| match float_key($values[row].into()) {
                Some(key) => zone.add(key),
                None => zone.nans += 1,
            })
        };
    }
    match column.values() {
        Values::Int8(v) => ints!(v),
        Values::Int16(v) => ints!(v),
        Values::Int32(v) => ints!(v),
        Values::Int64(v) | Values::Timestamptz(v) => ints!(v),
        Values::Float(v) => floats!(v),
        Values::Double(v) => floats!(v),
        Values::Bool(v) => rows.filter(|row| is_there(*row)).for_each(|row| zone.add(v.value(row).into())),
        Values::Text(v) => {
            rows.filter(|row| is_there(*row)).for_each(|row| zone.add(text_key(v.get(row), 0)))
        }
        // Nothing is known of other types: as if every value were possible.
        _ => (zone.low, zone.high, zone.nans) = (0, u64::MAX, u32::MAX),
    }
}

fn int_key(value: i64) -> u64 {
    (value as u64) ^ (1 << 63)
}

/// `None`: not a number. The two zeros are one.
fn float_key(value: f64) -> Option<u64> {
    let bits = (value + 0.0).to_bits();
    let flip = if bits >> 63 == 1 { u64::MAX } else { 1 << 63 };
    (!value.is_nan()).then_some(bits ^ flip)
}

/// The first eight bytes, the most significant first; a shorter text is filled up with `fill`.
fn text_key(text: &[u8], fill: u8) -> u64 {
    let mut bytes = [fill; 8];
    let len = text.len().min(8);
    bytes[..len].copy_from_slice(&text[..len]);
    u64::from_be_bytes(bytes)
}

/// What is known of the rows of a zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// None matches.
    None,
    /// All match.
    All,
    /// They have to be looked at.
    Some,
}

/// What the zones of `rows` say of `predicate`, by zone; `None`: nothing.
pub(crate) fn judge(predicate: &Predicate, rows: &dyn Rows) -> Option<Vec<Verdict>> {
    let zones: Vec<_> = predicate.fields.iter().map(|field| rows.zones(*field)).collect();
    let count = rows.len().div_ceil(ZONE_ROWS);
    if !zones.iter().flatten().any(|zones| zones.0.len() == count) {
        return None;
    }
    let judge = Judge { zones: &zones, rows: rows.len(), count };
    let verdicts = judge.node(&predicate.root)?;
    verdicts.iter().any(|verdict| *verdict != Verdict::Some).then_some(verdicts)
}

struct Judge<'a> {
    /// By slot.
    zones: &'a [Option<&'a Zones>],
    rows: usize,
    count: usize,
}

impl Judge<'_> {
    /// The verdicts on `node`; `None`: it is "some" everywhere.
    fn node(&self, node: &Node) -> Option<Vec<Verdict>> {
        match node {
            Node::Const(true) => Some(vec![Verdict::All; self.count]),
            Node::Const(false) => Some(vec![Verdict::None; self.count]),
            Node::Elements(_) => None,
            Node::Leaf(leaf) => self.leaf(leaf),
            Node::All(nodes) => self.join(nodes, Verdict::None, Verdict::All),
            Node::Any(nodes) => self.join(nodes, Verdict::All, Verdict::None),
        }
    }

    /// One that is `decisive` decides; when all are `weak`, so is the whole.
    fn join(&self, nodes: &[Node], decisive: Verdict, weak: Verdict) -> Option<Vec<Verdict>> {
        let (mut joined, mut is_known) = (vec![weak; self.count], false);
        for node in nodes {
            let Some(verdicts) = self.node(node) else {
                joined.iter_mut().filter(|own| **own != decisive).for_each(|own| *own = Verdict::Some);
                continue;
            };
            is_known = true;
            for (own, other) in joined.iter_mut().zip(verdicts) {
                if *own != decisive && other != weak {
                    *own = if other == decisive { decisive } else { Verdict::Some };
                }
            }
        }
        is_known.then_some(joined)
    }

    fn leaf(&self, leaf: &Leaf) -> Option<Vec<Verdict>> {
        if leaf.access != Access::Whole || !leaf.path.is_empty() || !Zones::are_of(leaf.field.data_type) {
            return None;
        }
        let zones = self.zones.get(leaf.field.slot).copied().flatten()?;
        let is_null = leaf.test == Test::Null;
        let wanted =
            if is_null { Wanted::Between(Bound::Unbounded, Bound::Unbounded) } else { wanted(leaf)? };
        let rows_of = |zone: usize| ZONE_ROWS.min(self.rows - zone * ZONE_ROWS) as u32;
        let verdict = |(place, zone): (usize, &Zone)| match (is_null, zone.nulls) {
            (true, nulls) if nulls == rows_of(place) => turn(Verdict::All, leaf.negated),
            (true, 0) => turn(Verdict::None, leaf.negated),
            (true, _) => Verdict::Some,
            (false, nulls) if nulls == rows_of(place) => Verdict::None,
            (false, nulls) => match turn(wanted.of(zone), leaf.negated) {
                // Of rows without value nothing is true.
                Verdict::All if nulls > 0 => Verdict::Some,
                verdict => verdict,
            },
        };
        (zones.0.len() == self.count).then(|| zones.0.iter().enumerate().map(verdict).collect())
    }
}

fn turn(verdict: Verdict, negated: bool) -> Verdict {
    match verdict {
        Verdict::All if negated => Verdict::None,
        Verdict::None if negated => Verdict::All,
        verdict => verdict,
    }
}

/// Which keys pass a test.
enum Wanted {
    /// Values with keys between the two pass; `Excluded`: those with this very key may pass.
    Between(Bound<u64>, Bound<u64>),
    /// Values with keys between the two, both included, may pass.
    Near(u64, u64),
    /// Values with one of these keys, which rise, may pass; the flag: do pass.
    Among(Vec<u64>, bool),
}

impl Wanted {
    /// How the values of a zone, absent ones apart, fare.
    fn of(&self, zone: &Zone) -> Verdict {
        if zone.low > zone.high {
            return Verdict::None;
        }
        let (outside, inside) = match self {
            Self::Between(low, high) => {
                let outside = match low {
                    Bound::Included(low) | Bound::Excluded(low) => zone.high < *low,
                    Bound::Unbounded => false,
                } || match high {
                    Bound::Included(high) | Bound::Excluded(high) => zone.low > *high,
                    Bound::Unbounded => false,
                };
                let range = (*low, *high);
                (outside, range.contains(&zone.low) && range.contains(&zone.high))
            }
            Self::Near(low, high) => (zone.high < *low || zone.low > *high, false),
            Self::Among(keys, is_exact) => {
                let next = keys.partition_point(|key| *key < zone.low);
                let found = keys.get(next).filter(|key| **key <= zone.high);
                (found.is_none(), *is_exact && zone.low == zone.high && found.is_some())
            }
        };
        match (outside, inside && zone.nans == 0) {
            (true, _) => Verdict::None,
            (_, true) => Verdict::All,
            _ => Verdict::Some,
        }
    }
}

/// What `leaf` wants of a whole value; `None`: no zone can say.
fn wanted(leaf: &Leaf) -> Option<Wanted> {
    let included = |low: u64, high: u64| Wanted::Between(Bound::Included(low), Bound::Included(high));
    let data_type = leaf.field.data_type;
    let (is_text, is_float) = (data_type == Type::VarChar, matches!(data_type, Type::Float | Type::Double));
    let is_int = !is_text && !is_float && data_type != Type::Bool;
    match question(leaf) {
        Question::Ints(low, high) if is_int => Some(included(int_key(low), int_key(high))),
        Question::AmongInts(values) if is_int => {
            Some(Wanted::Among(values.iter().map(|value| int_key(*value)).collect(), true))
        }
        Question::Floats(low, high) if is_float => {
            // A column of 32 bits compares at its own width.
            let round = |value: f64| if data_type == Type::Float { f64::from(value as f32) } else { value };
            Some(included(float_key(round(low))?, float_key(round(high))?))
        }
        Question::AmongFloats(values) if is_float => {
            Some(Wanted::Among(values.iter().filter_map(|value| float_key(*value)).collect(), true))
        }
        Question::Bool(value) if data_type == Type::Bool => Some(included(value.into(), value.into())),
        Question::Texts(low, high) if is_text => {
            // Texts with the key of a bound may lie on either side of it.
            let key = |bound: Bound<&[u8]>| match bound {
                Bound::Included(text) | Bound::Excluded(text) => Bound::Excluded(text_key(text, 0)),
                Bound::Unbounded => Bound::Unbounded,
            };
            Some(Wanted::Between(key(low), key(high)))
        }
        Question::AmongTexts(values) if is_text => {
            Some(Wanted::Among(values.iter().map(|text| text_key(text.as_bytes(), 0)).collect(), false))
        }
        Question::Like { prefix, is_prefix, .. } if is_text && !prefix.is_empty() => {
            let (low, high) = (text_key(prefix, 0), text_key(prefix, u8::MAX));
            // A key tells a zero byte from the end of a text no more than what follows the eighth byte.
            let tells = is_prefix && prefix.len() <= 8 && !prefix.contains(&0);
            Some(if tells { included(low, high) } else { Wanted::Near(low, high) })
        }
        _ => None,
    }
}

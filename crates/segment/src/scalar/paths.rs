//! What JSON documents hold at a path, by kind of value. Invariant: every document that holds a value of a kept kind there
//! is in that kind's lists, or (a whole number no double can hold) among the odd ones, which are asked of the document.

use super::Class;
use super::postings::write_numbers;
use super::sorted::{Of, Pairs, Sorted, Texts, order_of};
use super::source::{Meter, Source};
use super::spec::Cast;
use crate::Error;
use crate::files::{Opened, SectionWriter};
use data::{Column, Values};
use filter::{Answer, Json, JsonKind, Probe, Question};
use serde::{Deserialize, Serialize};
use simd::Bits;
use std::collections::BTreeSet;

/// How many paths of a whole object are kept, and how deep they go; further ones are asked of the documents.
const PATHS_MAX: usize = 64;
const DEPTH_MAX: usize = 8;

/// Kinds of values that are kept, each in a part of its own.
const NUMBERS: usize = 0;
const TEXTS: usize = 1;
const BOOLS: usize = 2;
/// The same for the elements of lists.
const ELEMENTS: usize = 3;
const KINDS: [(&str, Of); 6] = [
    ("numbers", Of::Floats),
    ("texts", Of::Texts),
    ("bools", Of::Ints),
    ("element_numbers", Of::Floats),
    ("element_texts", Of::Texts),
    ("element_bools", Of::Ints),
];

/// Which kinds a cast keeps.
fn kept(cast: Cast) -> &'static [usize] {
    match cast {
        Cast::Double => &[NUMBERS],
        Cast::Varchar => &[TEXTS],
        Cast::Bool => &[BOOLS],
        Cast::ArrayDouble => &[ELEMENTS + NUMBERS],
        Cast::ArrayVarchar => &[ELEMENTS + TEXTS],
        Cast::ArrayBool => &[ELEMENTS + BOOLS],
        Cast::Json => &[0, 1, 2, 3, 4, 5],
    }
}

/// What a file says of one path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PathHead {
    pub(super) path: Vec<String>,
    /// Which kinds there are, and how many distinct values each has.
    pub(super) kinds: Vec<(usize, usize)>,
}

/// Gathers and writes what the documents of `source` hold at `path`, as parts named after `part`.
pub(super) fn write_path(
    source: &Source<'_>,
    (path, cast): (&[String], Cast),
    part: &str,
    file: &mut SectionWriter,
    meter: &mut Meter<'_, '_>,
) -> Result<PathHead, Error> {
    let rows = source.rows();
    let mut found = Found { exists: vec![0; rows.div_ceil(64)], odd: BTreeSet::new(), ..Found::default() };
    let kept = kept(cast);
    source.each(&mut |column, first| {
        each_document(column, &mut |place, document| {
            let row = first + place;
            let Some(value) = document.at(path) else { return };
            let Some(kind) = value.kind() else { return };
            if kind != JsonKind::Null {
                found.exists[row / 64] |= 1 << (row % 64);
            }
            if kind == JsonKind::Array {
                value.elements().for_each(|element| found.add(element.kind(), ELEMENTS, kept, row as u32));
            } else {
                found.add(Some(kind), 0, kept, row as u32);
            }
        });
        meter.hold(found.bytes() + column.bytes())?;
        Ok(true)
    })?;
    write_numbers(file, part, "exists", &found.exists)?;
    write_numbers(file, part, "odd", &found.odd.into_iter().collect::<Vec<u32>>())?;
    let [numbers, element_numbers] = found.numbers;
    let [texts, element_texts] = found.texts;
    let [bools, element_bools] = found.bools;
    let pairs = [
        Pairs::Floats(numbers),
        Pairs::Passing(texts),
        Pairs::Ints(bools),
        Pairs::Floats(element_numbers),
        Pairs::Passing(element_texts),
        Pairs::Ints(element_bools),
    ];
    let mut kinds = Vec::new();
    for (kind, pairs) in pairs.into_iter().enumerate().filter(|(kind, _)| kept.contains(kind)) {
        kinds.push((kind, pairs.write(&format!("{part}/{}", KINDS[kind].0), rows, file)?));
    }
    Ok(PathHead { path: path.to_vec(), kinds })
}

#[derive(Debug, Default)]
struct Found {
    exists: Vec<u64>,
    odd: BTreeSet<u32>,
    numbers: [Vec<(u64, u32)>; 2],
    texts: [Texts; 2],
    bools: [Vec<(i64, u32)>; 2],
}

impl Found {
    /// What this takes in memory, now and while it is written, about.
    fn bytes(&self) -> usize {
        /// A number or a truth value with its row, and where it goes.
        const PAIR_BYTES: usize = 32;
        let pairs: usize = self.numbers.iter().map(Vec::len).chain(self.bools.iter().map(Vec::len)).sum();
        let texts: usize = self.texts.iter().map(Texts::bytes).sum();
        self.exists.len() * 8 + (self.odd.len() + pairs) * PAIR_BYTES + texts
    }

    fn add(&mut self, kind: Option<JsonKind<'_>>, elements: usize, kept: &[usize], row: u32) {
        let place = usize::from(elements > 0);
        match kind {
            Some(JsonKind::Int(value)) if kept.contains(&(elements + NUMBERS)) => {
                match exact(value).and_then(order_of) {
                    Some(order) => self.numbers[place].push((order, row)),
                    None => drop(self.odd.insert(row)),
                }
            }
            Some(JsonKind::Float(value)) if kept.contains(&(elements + NUMBERS)) => {
                self.numbers[place].extend(order_of(value).map(|order| (order, row)));
            }
            Some(JsonKind::Text(text)) if kept.contains(&(elements + TEXTS)) => {
                self.texts[place].add(&text, row);
            }
            Some(JsonKind::Bool(truth)) if kept.contains(&(elements + BOOLS)) => {
                self.bools[place].push((i64::from(truth), row));
            }
            _ => {}
        }
    }
}

/// The double that is this number.
fn exact(value: i64) -> Option<f64> {
    let float = value as f64;
    (float as i128 == i128::from(value)).then_some(float)
}

/// Shows the documents of a column with their places.
fn each_document(column: &Column, visit: &mut dyn FnMut(usize, Json<'_>)) {
    if let Values::Json(documents) = column.values() {
        let present = (0..column.len()).filter(|row| column.is_valid(*row));
        present.for_each(|row| visit(row, Json::new(documents.get(row))));
    }
}

/// The paths below `path` that documents have, through objects only, in order.
pub(super) fn paths_below(source: &Source<'_>, path: &[String]) -> Result<Vec<Vec<String>>, Error> {
    let mut found = BTreeSet::new();
    found.insert(path.to_vec());
    source.each(&mut |column, _| {
        each_document(column, &mut |_, document| {
            if found.len() < PATHS_MAX
                && let Some(value) = document.at(path)
                && let Ok(serde_json::Value::Object(object)) = serde_json::from_slice(value.raw())
            {
                gather(&object, path, &mut found);
            }
        });
        Ok(found.len() < PATHS_MAX)
    })?;
    Ok(found.into_iter().take(PATHS_MAX).collect())
}

fn gather(
    object: &serde_json::Map<String, serde_json::Value>,
    path: &[String],
    found: &mut BTreeSet<Vec<String>>,
) {
    for (key, value) in object {
        if path.len() >= DEPTH_MAX || found.len() >= PATHS_MAX {
            return;
        }
        let below: Vec<String> = path.iter().chain([key]).cloned().collect();
        if let serde_json::Value::Object(object) = value {
            gather(object, &below, found);
        }
        found.insert(below);
    }
}

/// One path in a file.
#[derive(Debug)]
pub(super) struct Path {
    pub(super) path: Vec<String>,
    row_count: usize,
    exists: Bits,
    odd: Option<Bits>,
    kinds: [Option<Sorted>; 6],
}

impl Path {
    pub(super) fn open(file: &Opened, part: &str, head: &PathHead, row_count: usize) -> Result<Self, Error> {
        let words = file.numbers::<u64>(&format!("{part}/exists"), row_count.div_ceil(64))?;
        let rows = file.all_numbers::<u32>(&format!("{part}/odd"))?;
        let mut odd = Bits::zeros(row_count);
        for row in rows.iter().map(|row| *row as usize) {
            if row >= row_count {
                return Err(file.damaged(&format!("{part}/odd"), "there are no such rows"));
            }
            odd.set(row, true);
        }
        let mut kinds = [const { None }; 6];
        for (kind, len) in &head.kinds {
            let (name, of) =
                KINDS.get(*kind).ok_or_else(|| file.damaged("head", "an unknown kind of value"))?;
            kinds[*kind] = Some(Sorted::open(file, &format!("{part}/{name}"), *of, *len, row_count)?);
        }
        Ok(Self {
            path: head.path.clone(),
            row_count,
            exists: Bits::from_words(row_count, words.to_vec()),
            odd: (!rows.is_empty()).then_some(odd),
            kinds,
        })
    }

    /// How many distinct values of all kinds.
    pub(super) fn distinct(&self) -> usize {
        self.kinds.iter().flatten().map(Sorted::len).sum()
    }

    /// The rows that pass the test of `probe`; `None` when this cannot tell, or the documents cost less.
    pub(super) fn answer(&self, probe: &Probe<'_>, column_cost: usize) -> Option<Answer> {
        let exactly = |yes| Some(Answer { yes, maybe: None, known: None });
        let one = |kind, question: &Question<'_>| self.one(kind, (probe, question), column_cost);
        let question = &probe.question();
        match question {
            Question::Exists => exactly(self.exists.clone()),
            Question::Missing => {
                let mut missing = self.exists.clone();
                missing.not();
                exactly(missing)
            }
            Question::Floats(..) => {
                let yes = one(NUMBERS, question)?;
                Some(Answer { yes, maybe: self.odd.clone(), known: None })
            }
            Question::Texts(..) | Question::Like { .. } => exactly(one(TEXTS, question)?),
            Question::Bool(_) => exactly(one(BOOLS, question)?),
            Question::Mixed { ints, floats, texts, bools } => {
                let mut yes = Bits::zeros(self.row_count);
                let mut maybe = None;
                if !ints.is_empty() || !floats.is_empty() {
                    let mut wanted: Vec<f64> = ints.iter().filter_map(|int| exact(*int)).collect();
                    wanted.extend_from_slice(floats);
                    wanted.sort_unstable_by(f64::total_cmp);
                    yes.or(&one(NUMBERS, &Question::AmongFloats(&wanted))?);
                    maybe = self.odd.clone();
                }
                if !texts.is_empty() {
                    yes.or(&one(TEXTS, &Question::AmongTexts(texts))?);
                }
                for truth in [false, true].into_iter().filter(|truth| bools[usize::from(*truth)]) {
                    yes.or(&one(BOOLS, &Question::Bool(truth))?);
                }
                Some(Answer { yes, maybe, known: None })
            }
            Question::Contains(all, values) => self.contains(*all, values),
            _ => None,
        }
    }

    /// The rows of the values of one kind that pass `question`.
    fn one(
        &self,
        kind: usize,
        (probe, question): (&Probe<'_>, &Question<'_>),
        column_cost: usize,
    ) -> Option<Bits> {
        let sorted = self.kinds[kind].as_ref()?;
        let ranges = sorted.passing(probe, question, Class::Text, column_cost)?;
        (sorted.postings.cost(&ranges) < column_cost).then(|| sorted.postings.union(&ranges))
    }

    fn contains(&self, all: bool, values: &[serde_json::Value]) -> Option<Answer> {
        let mut yes: Option<Bits> = None;
        let mut maybe = None;
        for value in values {
            let place = |kind: usize, find: &dyn Fn(&Sorted) -> Option<usize>| {
                let sorted = self.kinds[ELEMENTS + kind].as_ref()?;
                let range = find(sorted).map(|place| place..place + 1);
                Some(sorted.postings.union(range.as_slice()))
            };
            let rows = match value {
                serde_json::Value::Number(number) => {
                    maybe = self.odd.clone();
                    let float = match number.as_i64() {
                        Some(int) => exact(int),
                        None => number.as_f64(),
                    };
                    place(NUMBERS, &|sorted| sorted.place_of_float(float?))?
                }
                serde_json::Value::String(text) => place(TEXTS, &|sorted| sorted.place_of(text.as_bytes()))?,
                serde_json::Value::Bool(truth) => place(BOOLS, &|sorted| sorted.place_of_bool(*truth))?,
                _ => return None,
            };
            match &mut yes {
                None => yes = Some(rows),
                Some(yes) if all => yes.and(&rows),
                Some(yes) => yes.or(&rows),
            }
        }
        Some(Answer { yes: yes?, maybe, known: None })
    }
}

//! Vector search among lists of vectors, which rows have as sub-fields of structs: for single vectors of the lists, or for
//! whole lists. Invariant: an index of such a field is one of all vectors of all lists, row after row; with and without it
//! the scores are exact.

use crate::{Error, Mask, Nearest, Segment, vectors_of};
use data::{Column, FieldId, Lists, Values};
use filter::Predicate;
use host::Cancel;
use index::{Hits, Index, MaxSim, Metric, Query, Vectors, scan};
use simd::Bits;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Lists with no more vectors than this together are all scored, index or not.
const SCANNED_ITEMS: usize = 4_096;
/// How many near vectors are looked for at first, for each vector of a query and each row that is wanted.
const ITEMS_PER_ROW: usize = 4;
/// How many at most, unless there are fewer rows than are wanted among them.
const ITEMS_PER_ROW_MAX: usize = 64;
/// The least number of them.
const ITEMS_MIN: usize = 64;

/// A search for the nearest lists.
#[derive(Debug, Clone, Copy)]
pub struct NearestLists<'a> {
    /// The field of lists.
    pub field: FieldId,
    /// One list a query, of vectors of the field's kind and dim.
    pub queries: &'a [Vectors<'a>],
    /// How many rows are wanted, and with how much effort.
    pub query: &'a Query,
    /// How many near vectors are looked for, at least, for each vector of a query and each row that is wanted.
    pub ratio: f32,
    /// How near is measured: a row's score is the sum of the best scores of the query's vectors.
    pub metric: Metric,
    /// Which rows count, as [`Segment::matches`] of the same segment gave them.
    pub mask: &'a Mask,
    /// Looked at now and then.
    pub cancel: &'a Cancel,
}

/// Vectors of lists, best first.
#[derive(Debug, Clone, Default)]
pub struct ElementHits {
    /// The rows they belong to, and their scores; a row may come more than once.
    pub hits: Hits,
    /// Which vector of the row's list.
    pub elements: Vec<u32>,
}

/// The vectors of all lists of a column, without those that no list has; `None` for other types.
pub fn items_of(column: &Column) -> Option<Lists> {
    match column.values() {
        Values::Array(lists) if lists.items().data_type().is_vector() => Some(lists.compact()),
        _ => None,
    }
}

/// Lists of neighbouring rows.
struct Piece {
    first_row: usize,
    first_item: usize,
    lists: Lists,
}

/// All lists of a field.
struct Flat {
    pieces: Vec<Piece>,
    items: usize,
}

impl Flat {
    fn new(segment: &Segment, field: FieldId) -> Result<Self, Error> {
        let (mut pieces, mut items) = (Vec::new(), 0);
        for (first_row, column) in segment.pieces(field)? {
            let lists = match column.values() {
                Values::Array(lists) => lists.compact(),
                _ => return Err(no_lists(field, &column)),
            };
            let count = lists.items().len();
            pieces.push(Piece { first_row: first_row as usize, first_item: items, lists });
            items += count;
        }
        Ok(Self { pieces, items })
    }

    /// How many rows there are.
    fn rows(&self) -> usize {
        self.pieces.last().map_or(0, |piece| piece.first_row + piece.lists.len())
    }

    /// The items of the rows of `mask`, without those whose bit is not set in `elements`; `None` for all.
    fn mask(&self, mask: &Mask, elements: Option<&Bits>) -> Option<Bits> {
        let rows = self.rows();
        if mask.is_all() && mask.rows() >= rows && elements.is_none() {
            return None;
        }
        let mut bits = Bits::zeros(self.items);
        let mut chosen = mask.iter().map(|row| row as usize).take_while(|row| *row < rows).peekable();
        for piece in &self.pieces {
            let end = piece.first_row + piece.lists.len();
            while let Some(row) = chosen.next_if(|row| *row < end) {
                let range = piece.lists.range(row - piece.first_row);
                bits.set_range(piece.first_item + range.start, piece.first_item + range.end, true);
            }
        }
        match elements {
            Some(elements) if elements.len() == self.items => bits.and(elements),
            // Rows came in the meantime; the mask does not know them.
            Some(elements) => {
                bits.and(&Bits::from_fn(self.items, |item| item < elements.len() && elements.get(item)));
            }
            None => {}
        }
        Some(bits)
    }

    /// The row of an item, and its place in the row's list.
    fn place(&self, item: u32) -> (u32, u32) {
        let item = item as usize;
        let after = self.pieces.partition_point(|piece| piece.first_item <= item);
        // Pieces without items begin where the next one does.
        let piece = &self.pieces[after - 1];
        let inside = (item - piece.first_item) as i64;
        let row = piece.lists.offsets().partition_point(|offset| *offset <= inside) - 1;
        ((piece.first_row + row) as u32, (inside - piece.lists.offsets()[row]) as u32)
    }

    fn piece_of(&self, row: usize) -> &Piece {
        let after = self.pieces.partition_point(|piece| piece.first_row <= row);
        &self.pieces[after - 1]
    }
}

fn no_lists(field: FieldId, column: &Column) -> Error {
    Error::NotSearchable { field, why: format!("it holds {:?}, not lists of vectors", column.data_type()) }
}

impl Segment {
    /// The structs that pass the predicate's `element_filter`, a bit for each struct of each row, row after row; `None`
    /// when there is no such filter.
    ///
    /// # Errors
    /// [`Error::Damaged`] when a column the filter looks at is not what was written.
    pub fn elements(&self, predicate: &Predicate) -> Result<Option<Bits>, Error> {
        match self {
            Self::Growing(segment) => Ok(segment.elements(predicate)),
            Self::Sealed(segment) => segment.elements(predicate),
        }
    }

    /// For each of `rows` the places of its structs that pass the predicate's `element_filter`; `None` when there is no
    /// such filter.
    ///
    /// # Errors
    /// As [`Segment::elements`].
    ///
    /// # Panics
    /// When a row is out of bounds.
    pub fn elements_of(&self, predicate: &Predicate, rows: &[u32]) -> Result<Option<Vec<Vec<u32>>>, Error> {
        self.passing(predicate, rows, |places| places.collect())
    }

    /// How many these are.
    ///
    /// # Errors
    /// As [`Segment::elements`].
    ///
    /// # Panics
    /// When a row is out of bounds.
    pub fn element_counts(&self, predicate: &Predicate, rows: &[u32]) -> Result<Option<Vec<u32>>, Error> {
        self.passing(predicate, rows, |places| places.count() as u32)
    }

    /// What `make` makes of the places of the structs that pass, for each of `rows`.
    fn passing<T>(
        &self,
        predicate: &Predicate,
        rows: &[u32],
        make: impl Fn(&mut dyn Iterator<Item = u32>) -> T,
    ) -> Result<Option<Vec<T>>, Error> {
        let Some(field) = predicate.filtered_field() else { return Ok(None) };
        // Rows that come meanwhile are in the lists alone.
        let Some(bits) = self.elements(predicate)? else { return Ok(None) };
        let flat = Flat::new(self, field)?;
        let of = |row: &u32| {
            let piece = flat.piece_of(*row as usize);
            let range = piece.lists.range(*row as usize - piece.first_row);
            let passes = |element: &u32| {
                let item = piece.first_item + range.start + *element as usize;
                item < bits.len() && bits.get(item)
            };
            make(&mut (0..range.len() as u32).filter(passes))
        };
        Ok(Some(rows.iter().map(of).collect()))
    }

    /// For each query the nearest vectors among the lists of the rows of the mask, best first. Of `elements`, when they
    /// are given, only those whose bit is set take part.
    ///
    /// # Errors
    /// As [`Segment::search`].
    pub fn search_elements(
        &self,
        request: &Nearest<'_>,
        elements: Option<&Bits>,
    ) -> Result<Vec<ElementHits>, Error> {
        let flat = Flat::new(self, request.field)?;
        let mask = flat.mask(request.mask, elements);
        let index = if request.use_index { self.item_index(request.field, request.metric) } else { None };
        let hits = flat.nearest(index.as_deref(), request.queries, request.query, mask.as_ref(), request)?;
        let placed = hits.into_iter().map(|hits| {
            let (rows, elements) = hits.rows.iter().map(|item| flat.place(*item)).unzip();
            ElementHits { hits: Hits { rows, scores: hits.scores }, elements }
        });
        Ok(placed.collect())
    }

    /// For each query the rows of the mask with the nearest lists, best first. Rows with an empty list never count.
    ///
    /// # Errors
    /// As [`Segment::search`].
    pub fn search_lists(&self, request: &NearestLists<'_>) -> Result<Vec<Hits>, Error> {
        let flat = Flat::new(self, request.field)?;
        let index = self.item_index(request.field, request.metric);
        let mask = flat.mask(request.mask, None);
        let among = mask.as_ref().map_or(flat.items, Bits::count);
        let index = index.filter(|_| among > SCANNED_ITEMS);
        let search = |queries: &Vectors<'_>| match &index {
            Some(index) => flat.by_index(index, mask.as_ref(), *queries, request),
            None => {
                let rows = request.mask.iter();
                flat.measure(rows, *queries, request)
            }
        };
        request.queries.iter().map(search).collect()
    }

    fn item_index(&self, field: FieldId, metric: Metric) -> Option<Arc<Index>> {
        match self {
            Self::Growing(_) => None,
            Self::Sealed(sealed) => sealed.index(field).filter(|index| index.metric() == metric),
        }
    }
}

impl Flat {
    /// The nearest items.
    fn nearest(
        &self,
        index: Option<&Index>,
        queries: Vectors<'_>,
        query: &Query,
        mask: Option<&Bits>,
        request: &Nearest<'_>,
    ) -> Result<Vec<Hits>, Error> {
        if let (Some(index), [piece]) = (index, &self.pieces[..]) {
            let items = vectors(request.field, piece.lists.items())?;
            return Ok(index.search(items, queries, query, mask, request.cancel)?);
        }
        let mut hits = vec![Hits::default(); queries.len()];
        for piece in self.pieces.iter().filter(|piece| !piece.lists.items().is_empty()) {
            let (items, first) = (vectors(request.field, piece.lists.items())?, piece.first_item as u32);
            scan(request.metric, items, queries, first, mask, query, &mut hits, request.cancel)?;
        }
        Ok(hits)
    }

    /// Scores the lists of `rows`.
    fn measure(
        &self,
        rows: impl Iterator<Item = u32>,
        queries: Vectors<'_>,
        request: &NearestLists<'_>,
    ) -> Result<Hits, Error> {
        let mut judge = MaxSim::new(request.metric, queries, request.query);
        let mut found: Vec<(f32, u32)> = Vec::new();
        let end = self.rows();
        for row in rows.take_while(|row| (*row as usize) < end) {
            if row % 64 == 0 {
                request.cancel.check()?;
            }
            let piece = self.piece_of(row as usize);
            let items = vectors(request.field, piece.lists.items())?;
            let list = items.slice(piece.lists.range(row as usize - piece.first_row));
            if let Some(score) = judge.score(list)? {
                found.push((score, row));
            }
        }
        let is_rising = request.metric.smaller_is_better();
        found.sort_by(|a, b| {
            let by_score = if is_rising { a.0.total_cmp(&b.0) } else { b.0.total_cmp(&a.0) };
            by_score.then(a.1.cmp(&b.1))
        });
        found.truncate(request.query.k());
        let (scores, rows) = found.into_iter().unzip();
        Ok(Hits { rows, scores })
    }

    /// Scores the lists that have a vector near to one of the query's. Looks for more of these as long as a list without
    /// one could still be among the best (the threshold algorithm of Fagin, Lotem and Naor, PODS 2001), up to a limit.
    fn by_index(
        &self,
        index: &Index,
        mask: Option<&Bits>,
        queries: Vectors<'_>,
        request: &NearestLists<'_>,
    ) -> Result<Hits, Error> {
        let [piece] = &self.pieces[..] else { return self.measure(request.mask.iter(), queries, request) };
        let items = vectors(request.field, piece.lists.items())?;
        let wanted = request.query.k().min(request.mask.count());
        let asked = (wanted as f64 * f64::from(request.ratio)).ceil() as usize;
        let most = wanted.saturating_mul(ITEMS_PER_ROW_MAX).max(ITEMS_MIN).max(asked);
        let mut near = wanted.saturating_mul(ITEMS_PER_ROW).max(ITEMS_MIN).max(asked);
        loop {
            let query = request.query.clone().widened(near.min(self.items));
            let hits = index.search(items, queries, &query, mask, request.cancel)?;
            let rows = hits.iter().flat_map(|hits| &hits.rows).map(|item| self.place(*item).0);
            let rows: BTreeSet<u32> = rows.collect();
            let is_full = rows.len() >= wanted;
            if near >= self.items || is_full && near >= most {
                return self.measure(rows.into_iter(), queries, request);
            }
            if is_full {
                let best = self.measure(rows.into_iter(), queries, request)?;
                // No vector of any other list is nearer than the last that was found.
                let ends = hits.iter().map(|hits| hits.scores.last().copied().map_or(0.0, f64::from));
                let bound = ends.sum::<f64>() as f32;
                let last = best.scores.last();
                if last.is_some_and(|last| !request.metric.better(bound, *last)) {
                    return Ok(best);
                }
            }
            near = near.saturating_mul(4);
        }
    }
}

fn vectors(field: FieldId, column: &Column) -> Result<Vectors<'_>, Error> {
    vectors_of(column).ok_or_else(|| no_lists(field, column))
}

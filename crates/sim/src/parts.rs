//! An array of structs, which comes and goes while a collection lives: a number and a vector each. In a
//! [`Row`](crate::truth::Row) it is one value, a list of lists `[age, x, y]`. Invariant: only here is it known how the two
//! columns and that value become each other.

use crate::client;
use crate::field::Added;
use crate::truth::Metric;
use data::{Column, ColumnBuilder, Field, Struct, Timestamp, Type, Value, Values};
use engine::api::{Queries, ReadTime, Search};
use engine::{Engine, Error};
use host::Rng;

/// Its name.
pub(crate) const PARTS: &str = "parts";

/// The number in a struct, as the schema names it.
pub(crate) const AGE: &str = "parts[age]";

/// The vector in a struct.
pub(crate) const PLACE: &str = "parts[place]";

/// Components of that vector.
const DIM: usize = 2;

/// Structs a row, at most.
const MOST: u64 = 4;

/// What the vectors are searched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Aim {
    /// Single structs, by L2.
    Single,
    /// Rows, by the sum over several vectors of the largest inner product.
    Lists,
}

/// Parameters of an index of `kind` on the vectors.
pub(crate) fn index_params(kind: &str) -> &'static [(&'static str, &'static str)] {
    match kind {
        "HNSW" => &[("metric_type", "L2"), ("M", "6"), ("efConstruction", "16")],
        "IVF_FLAT" => &[("metric_type", "MAX_SIM_IP"), ("nlist", "4")],
        _ => &[("metric_type", "L2")],
    }
}

/// The array, as a request names it.
pub(crate) fn structure() -> Struct {
    Struct { name: PARTS.to_owned(), max_capacity: MOST as usize, nullable: true, ..Struct::default() }
}

/// Its sub-fields.
pub(crate) fn fields() -> Vec<Field> {
    let field = |name, element| Field {
        nullable: true,
        ..Field::new(name, Type::Array).with_elements(element, MOST as usize)
    };
    vec![field(AGE, Type::Int64), Field { dim: DIM, ..field(PLACE, Type::FloatVector) }]
}

/// An array of structs, none now and then, absent now and then.
pub(crate) fn value(rng: &mut Rng) -> Value {
    if rng.chance(0.2) {
        return Value::Null;
    }
    let structs = rng.below(MOST + 1);
    let number = |rng: &mut Rng| Value::Int(rng.below(19) as i64 - 9);
    Value::List(
        (0..structs)
            .map(|_| Value::List(vec![Value::Int(rng.below(20) as i64), number(rng), number(rng)]))
            .collect(),
    )
}

/// The structs that a value stands for: the number and the vector of each; `None` where it is absent.
pub(crate) fn structs(value: Option<&Value>) -> Option<Vec<(i64, [f32; DIM])>> {
    let Some(Value::List(all)) = value else { return None };
    let one = |value: &Value| match value {
        Value::List(parts) => match parts[..] {
            [Value::Int(age), Value::Int(x), Value::Int(y)] => (age, [x as f32, y as f32]),
            _ => (i64::MIN, [f32::NAN; DIM]),
        },
        _ => (i64::MIN, [f32::NAN; DIM]),
    };
    Some(all.iter().map(one).collect())
}

/// The columns of some rows.
pub(crate) fn columns<'a>(rows: impl Iterator<Item = &'a Added>) -> [(&'static str, Column); 2] {
    let kinds: Vec<_> = fields().iter().map(Field::kind).collect();
    let (mut ages, mut places) = (ColumnBuilder::of(kinds[0]), ColumnBuilder::of(kinds[1]));
    for row in rows {
        let Some(structs) = structs(row.get(PARTS)) else {
            ages.push_null();
            places.push_null();
            continue;
        };
        ages.push(&Value::List(structs.iter().map(|(age, _)| Value::Int(*age)).collect()));
        places.push_items(&vectors(structs.iter().map(|(_, place)| *place)));
    }
    [(AGE, ages.finish()), (PLACE, places.finish())]
}

/// Vectors as a column.
fn vectors(all: impl Iterator<Item = [f32; DIM]>) -> Column {
    Column::from_vectors(DIM, all.flatten().collect()).expect("all have as many components")
}

/// What row `row` of both columns stands for; no model row is like columns that do not fit each other.
pub(crate) fn value_of(ages: &Column, places: &Column, row: usize) -> Value {
    let unlike = Value::Text("columns of structs that do not fit".to_owned());
    if ages.is_valid(row) != places.is_valid(row) {
        return unlike;
    }
    let (Value::List(ages), Values::Array(places)) = (ages.value(row), places.values()) else {
        return if ages.is_valid(row) { unlike } else { Value::Null };
    };
    let items = places.get(row);
    let Values::FloatVector { values, .. } = items.values() else { return unlike };
    if values.len() != ages.len() * DIM {
        return unlike;
    }
    let whole = |x: &f32| Value::Int(*x as i64);
    let one = |(age, place): (&Value, &[f32])| {
        Value::List(std::iter::once(age.clone()).chain(place.iter().map(whole)).collect())
    };
    Value::List(ages.iter().zip(values.chunks(DIM)).map(one).collect())
}

/// A search among structs.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    /// What is found.
    pub(crate) aim: Aim,
    /// Near to what: one vector, where single structs are.
    pub(crate) wanted: Vec<[f32; DIM]>,
    /// Only structs with a smaller number, where single structs are searched.
    pub(crate) younger: Option<i64>,
}

/// A hit: its score, the row's key, and which of its structs it is.
pub(crate) type Hit = (f32, i64, u32);

impl Ask {
    /// Draws one; `kind` is that of the index on the vectors.
    pub(crate) fn draw(kind: Option<&str>, rng: &mut Rng) -> Self {
        let aim = match kind {
            Some("IVF_FLAT") => Aim::Lists,
            Some(_) => Aim::Single,
            None => [Aim::Single, Aim::Lists][rng.below(2) as usize],
        };
        let count = if aim == Aim::Single { 1 } else { 1 + rng.below(3) };
        let wanted = (0..count).map(|_| std::array::from_fn(|_| rng.below(19) as f32 - 9.0)).collect();
        let younger = (aim == Aim::Single && rng.chance(0.4)).then(|| rng.below(22) as i64);
        Self { aim, wanted, younger }
    }

    /// How near is measured, as requests name it.
    fn metric(&self) -> &'static str {
        match self.aim {
            Aim::Single => "L2",
            Aim::Lists => "MAX_SIM_IP",
        }
    }

    /// The better score first.
    pub(crate) fn order(&self, a: f32, b: f32) -> std::cmp::Ordering {
        if self.aim == Aim::Single { a.total_cmp(&b) } else { b.total_cmp(&a) }
    }

    /// How near the row with these structs is, and by which of them.
    pub(crate) fn scores(&self, value: Option<&Value>) -> Vec<(f32, u32)> {
        let structs = structs(value).unwrap_or_default();
        if self.aim == Aim::Single {
            let counts = |age: i64| self.younger.is_none_or(|than| age < than);
            let kept = structs.iter().zip(0..).filter(|((age, _), _)| counts(*age));
            return kept.map(|((_, place), at)| (Metric::L2.score(place, &self.wanted[0]), at)).collect();
        }
        let best = |query: &[f32; DIM]| {
            let products = structs.iter().map(|(_, place)| Metric::Ip.score(place, query));
            products.fold(f32::MIN, f32::max)
        };
        let all = self.wanted.iter().map(best).sum();
        if structs.is_empty() { Vec::new() } else { vec![(all, 0)] }
    }

    /// Asks the engine for the `limit` nearest of the rows that `filter` holds for.
    ///
    /// # Errors
    /// The engine's.
    pub(crate) fn search(
        &self,
        engine: &Engine,
        name: &str,
        partitions: &[String],
        filter: String,
        limit: usize,
        travel: Timestamp,
    ) -> Result<Vec<Hit>, Error> {
        let all = vectors(self.wanted.iter().copied());
        let queries = if self.aim == Aim::Single {
            Queries::Vectors(all)
        } else {
            let mut lists = ColumnBuilder::of(fields()[1].kind());
            lists.push_items(&all);
            Queries::Lists(lists.finish())
        };
        let filter = match self.younger.map(|than| format!("element_filter({PARTS}, $[age] < {than})")) {
            Some(own) if filter.is_empty() => own,
            Some(own) => format!("({filter}) and {own}"),
            None => filter,
        };
        let request = Search {
            partitions: partitions.to_vec(),
            field: PLACE.to_owned(),
            metric: self.metric().to_owned(),
            filter,
            time: ReadTime { travel, ..ReadTime::default() },
            ..Search::new(client::target(name), queries, limit)
        };
        let found = engine.search(request)?;
        let elements = found.elements.unwrap_or_else(|| vec![0; found.scores.len()]);
        let keys = client::ints(&found.keys);
        Ok(found
            .scores
            .into_iter()
            .zip(keys)
            .zip(elements)
            .map(|((score, key), at)| (score, key, at))
            .collect())
    }
}

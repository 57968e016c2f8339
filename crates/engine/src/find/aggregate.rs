//! Counts, sums, averages and extremes over the rows that match, one row a group. Invariant: absent values take no part,
//! but for `count(*)`, which counts rows; memory goes with the number of groups, not of rows. With a filter of structs a row
//! counts as often as it has structs that pass, in all of these.

use super::cells::{GroupField, Groups};
use super::order::{Sorter, compare};
use super::{Place, Scope};
use crate::api::{Order, OutputField, Queried, Query};
use crate::{Error, ErrorKind};
use data::{Column, ColumnBuilder, Field, Schema, Type, Value, Values};
use filter::Predicate;
use std::iter::repeat_n;

/// The most groups (`common.groupBy.maxGroups`).
const GROUPS_MAX: usize = 100_000;
/// Rows looked at in one go.
const CHUNK_ROWS: usize = 1 << 16;

/// What is made of the values of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    Count,
    Sum,
    Avg,
    Min,
    Max,
}

/// `sum(price)` and the like.
#[derive(Debug)]
pub(super) struct Aggregate {
    /// As the user wrote it.
    pub(super) text: String,
    pub(super) function: Function,
    /// `None`: `count(*)`.
    pub(super) field: Option<Field>,
}

/// Whether a query asks for aggregates.
pub(super) fn is_wanted(query: &Query) -> bool {
    !query.group_by.is_empty() || query.output.iter().any(|name| split(name).is_some())
}

/// `sum(price)` as its function and what stands in the parentheses.
fn split(text: &str) -> Option<(Function, &str)> {
    let (name, rest) = text.trim().split_once('(')?;
    let function = match name.trim().to_ascii_lowercase().as_str() {
        "count" => Function::Count,
        "sum" => Function::Sum,
        "avg" => Function::Avg,
        "min" => Function::Min,
        "max" => Function::Max,
        _ => return None,
    };
    rest.trim_end().strip_suffix(')').map(|inside| (function, inside.trim()))
}

impl Aggregate {
    pub(super) fn new(schema: &Schema, text: &str) -> Result<Option<Self>, Error> {
        let Some((function, name)) = split(text) else { return Ok(None) };
        let text = text.to_owned();
        if name == "*" {
            return match function {
                Function::Count => Ok(Some(Self { text, function, field: None })),
                _ => Err(Error::invalid(format!("{text}: only count takes *, name a field"))),
            };
        }
        let field = schema.field(name).ok_or_else(|| {
            Error::new(
                ErrorKind::FieldNotFound,
                format!("field {name} of aggregate {text} does not exist: field not found[field={name}]"),
            )
        })?;
        use Type::{Double, Float, Int8, Int16, Int32, Int64, Timestamptz, VarChar};
        let fits = match function {
            Function::Count => true,
            Function::Sum | Function::Avg => {
                matches!(field.data_type, Int8 | Int16 | Int32 | Int64 | Float | Double)
            }
            Function::Min | Function::Max => matches!(
                field.data_type,
                Int8 | Int16 | Int32 | Int64 | Float | Double | VarChar | Timestamptz
            ),
        };
        if fits {
            return Ok(Some(Self { text, function, field: Some(field.clone()) }));
        }
        Err(Error::invalid(format!(
            "aggregation operator {text} does not support data type {:?} of field {name}",
            field.data_type
        )))
    }

    /// The field as it stands in results.
    fn shown(&self) -> Field {
        let source = self.field.as_ref().map_or(Type::Int64, |field| field.data_type);
        let data_type = match (self.function, source) {
            (Function::Count, _) => Type::Int64,
            (Function::Avg, _) | (Function::Sum, Type::Float | Type::Double) => Type::Double,
            (Function::Sum, _) => Type::Int64,
            (Function::Min | Function::Max, source) => source,
        };
        Field { nullable: self.function != Function::Count, ..Field::new(&self.text, data_type) }
    }
}

/// What is known of one group for one aggregate.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    count: i64,
    ints: i128,
    floats: f64,
    best: Option<Value>,
}

/// A query for aggregates, understood.
struct Plan {
    by: Vec<(String, GroupField)>,
    aggregates: Vec<Aggregate>,
    /// What stands in the answer: of `by` or of `aggregates`, by position.
    output: Vec<Shown>,
}

#[derive(Debug, Clone, Copy)]
enum Shown {
    By(usize),
    Aggregate(usize),
}

impl Plan {
    fn new(schema: &Schema, query: &Query) -> Result<Self, Error> {
        let by = query.group_by.iter().map(|name| Ok((name.clone(), GroupField::new(schema, name)?)));
        let mut plan =
            Self { by: by.collect::<Result<_, Error>>()?, aggregates: Vec::new(), output: Vec::new() };
        for name in &query.output {
            if let Some(aggregate) = Aggregate::new(schema, name)? {
                plan.output.push(Shown::Aggregate(plan.aggregates.len()));
                plan.aggregates.push(aggregate);
            } else if let Some(place) = query.group_by.iter().position(|by| by == name) {
                plan.output.push(Shown::By(place));
            } else {
                return Err(Error::invalid(format!(
                    "field '{name}' is not in group_by_fields and is not an aggregation function: only group_by fields and aggregation functions are allowed in output_fields when using GROUP BY"
                )));
            }
        }
        // An order may name an aggregate that is not asked for.
        for order in &query.order {
            let is_known = plan.aggregates.iter().any(|aggregate| aggregate.text == order.field)
                || query.group_by.contains(&order.field);
            if !is_known && let Some(aggregate) = Aggregate::new(schema, &order.field)? {
                plan.aggregates.push(aggregate);
            }
        }
        Ok(plan)
    }
}

/// Answers a query for aggregates.
pub(super) fn query(scope: &Scope, predicate: Option<&Predicate>, query: &Query) -> Result<Queried, Error> {
    let plan = Plan::new(scope.schema(), query)?;
    let mut groups = Groups::default();
    let mut tallies: Vec<Vec<Tally>> = vec![Vec::new(); plan.aggregates.len()];
    let mut labels: Vec<ColumnBuilder> = Vec::new();
    for (place, segment) in (0_u32..).zip(&scope.segments) {
        let mask = scope.matches(segment, predicate)?;
        let times = match predicate.filter(|predicate| predicate.filtered_field().is_some()) {
            Some(predicate) => segment.element_counts(predicate, &mask.iter().collect::<Vec<_>>())?,
            None => None,
        };
        let times = |at: usize| times.as_ref().map_or(1, |times| times[at] as usize);
        let rows = mask.iter().enumerate();
        let mut rows = rows.flat_map(|(at, row)| repeat_n((place, row), times(at))).peekable();
        while rows.peek().is_some() {
            let chunk: Vec<Place> = rows.by_ref().take(CHUNK_ROWS).collect();
            let numbers = number(scope, &plan, &chunk, &mut groups, &mut labels)?;
            for (aggregate, tallies) in plan.aggregates.iter().zip(&mut tallies) {
                tallies.resize(groups.len().max(1), Tally::default());
                add(scope, aggregate, &chunk, &numbers, tallies)?;
            }
        }
    }
    // Without groups there is one row, even of nothing.
    let rows = if plan.by.is_empty() { 1 } else { groups.len() };
    tallies.iter_mut().for_each(|tallies| tallies.resize(rows, Tally::default()));
    let labels: Vec<Column> = labels.into_iter().map(ColumnBuilder::finish).collect();
    answer(scope, &plan, query, rows, &labels, &tallies)
}

/// The group of each row of a chunk; the values of new groups go to `labels`.
fn number(
    scope: &Scope,
    plan: &Plan,
    chunk: &[Place],
    groups: &mut Groups,
    labels: &mut Vec<ColumnBuilder>,
) -> Result<Vec<u32>, Error> {
    if plan.by.is_empty() {
        return Ok(vec![0; chunk.len()]);
    }
    let columns = plan.by.iter().map(|(_, by)| by.read(scope, chunk)).collect::<Result<Vec<_>, _>>()?;
    if labels.is_empty() {
        labels.extend(columns.iter().map(ColumnBuilder::like));
    }
    let mut numbers = Vec::with_capacity(chunk.len());
    for row in 0..chunk.len() {
        let (number, is_new) = groups.number(&columns, row);
        if is_new {
            labels.iter_mut().zip(&columns).for_each(|(label, column)| label.push_from(column, row));
        }
        numbers.push(number);
    }
    if groups.len() > GROUPS_MAX {
        return Err(Error::invalid(format!(
            "the query makes more than {GROUPS_MAX} groups, narrow its filter or group by fields of fewer values"
        )));
    }
    Ok(numbers)
}

/// Adds the values of a chunk to the tallies of their groups.
fn add(
    scope: &Scope,
    aggregate: &Aggregate,
    chunk: &[Place],
    numbers: &[u32],
    tallies: &mut [Tally],
) -> Result<(), Error> {
    let column = aggregate.field.as_ref().map(|field| super::fetch::read(scope, field, chunk)).transpose()?;
    tally(aggregate.function, column.as_ref(), numbers, tallies);
    Ok(())
}

/// Adds the values of `column` to the tallies of their groups; without a column, rows are counted.
pub(super) fn tally(function: Function, column: Option<&Column>, numbers: &[u32], tallies: &mut [Tally]) {
    let Some(column) = column else {
        numbers.iter().for_each(|number| tallies[*number as usize].count += 1);
        return;
    };
    let mut each = |add: &dyn Fn(&mut Tally, usize)| {
        for (row, number) in numbers.iter().enumerate().filter(|(row, _)| column.is_valid(*row)) {
            let tally = &mut tallies[*number as usize];
            tally.count += 1;
            add(tally, row);
        }
    };
    match (function, column.values()) {
        (Function::Count, _) => each(&|_, _| {}),
        (Function::Sum | Function::Avg, values) => match values {
            Values::Int8(v) => each(&|tally, row| tally.ints += i128::from(v[row])),
            Values::Int16(v) => each(&|tally, row| tally.ints += i128::from(v[row])),
            Values::Int32(v) => each(&|tally, row| tally.ints += i128::from(v[row])),
            Values::Int64(v) => each(&|tally, row| tally.ints += i128::from(v[row])),
            Values::Float(v) => each(&|tally, row| tally.floats += f64::from(v[row])),
            Values::Double(v) => each(&|tally, row| tally.floats += v[row]),
            _ => {}
        },
        (function @ (Function::Min | Function::Max), _) => each(&|tally, row| {
            let value = column.value(row);
            let is_better = tally.best.as_ref().is_none_or(|best| match function {
                Function::Min => is_less(&value, best),
                _ => is_less(best, &value),
            });
            if is_better {
                tally.best = Some(value);
            }
        }),
    }
}

fn is_less(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Int(a), Value::Int(b)) => a < b,
        (Value::Double(a), Value::Double(b)) => a < b,
        (Value::Text(a), Value::Text(b)) => a < b,
        _ => false,
    }
}

/// The values of an aggregate, one a group.
pub(super) fn values(aggregate: &Aggregate, tallies: &[Tally]) -> Result<Column, Error> {
    let mut builder = ColumnBuilder::new(aggregate.shown().data_type, 0);
    for tally in tallies {
        let whole = aggregate.shown().data_type == Type::Int64;
        match aggregate.function {
            Function::Count => builder.push(&Value::Int(tally.count)),
            _ if tally.count == 0 => builder.push_null(),
            Function::Sum if whole => {
                let sum = i64::try_from(tally.ints).map_err(|_| {
                    Error::invalid(format!(
                        "{} is {}, more than 64 bits can hold",
                        aggregate.text, tally.ints
                    ))
                })?;
                builder.push(&Value::Int(sum));
            }
            Function::Sum => builder.push(&Value::Double(tally.floats)),
            Function::Avg => {
                builder.push(&Value::Double((tally.ints as f64 + tally.floats) / tally.count as f64));
            }
            Function::Min | Function::Max => match &tally.best {
                Some(value) => builder.push(value),
                None => builder.push_null(),
            },
        }
    }
    Ok(builder.finish())
}

fn answer(
    scope: &Scope,
    plan: &Plan,
    query: &Query,
    rows: usize,
    labels: &[Column],
    tallies: &[Vec<Tally>],
) -> Result<Queried, Error> {
    let aggregates = plan.aggregates.iter().zip(tallies).map(|(one, tallies)| values(one, tallies));
    let aggregates: Vec<Column> = aggregates.collect::<Result<_, _>>()?;
    let label = |place: usize| labels.get(place).cloned().unwrap_or_else(|| empty(plan, place));
    let sorter = |one: &Order| {
        let of_aggregates = plan.aggregates.iter().position(|aggregate| aggregate.text == one.field);
        let column = match (of_aggregates, query.group_by.iter().position(|by| *by == one.field)) {
            (Some(place), _) => aggregates[place].clone(),
            (None, Some(place)) => label(place),
            (None, None) => {
                return Err(Error::invalid(format!(
                    "order by field {} is neither a group_by field nor an aggregation function",
                    one.field
                )));
            }
        };
        Ok(Sorter { column, is_falling: one.is_falling })
    };
    let sorters: Vec<Sorter> = query.order.iter().map(sorter).collect::<Result<_, Error>>()?;
    let mut picks: Vec<u32> = (0..rows as u32).collect();
    picks.sort_by(|a, b| compare(&sorters, *a, *b));
    let window = picks.into_iter().skip(query.offset).take(query.limit.unwrap_or(usize::MAX));
    let picks: Vec<u32> = window.collect();
    let shown = plan.output.iter().map(|shown| {
        let (field, column) = match shown {
            Shown::By(place) => (plan.by[*place].1.shown(&plan.by[*place].0), label(*place)),
            Shown::Aggregate(place) => (plan.aggregates[*place].shown(), aggregates[*place].clone()),
        };
        OutputField { field, column: column.take(&picks), dynamic_keys: Vec::new() }
    });
    Ok(Queried {
        count: None,
        keys: None,
        primary: scope.primary_name(),
        fields: shown.collect(),
        elements: None,
        timestamp: scope.at,
    })
}

/// The values of a field that groups nothing, because nothing matched.
fn empty(plan: &Plan, place: usize) -> Column {
    let (name, by) = &plan.by[place];
    ColumnBuilder::of(by.shown(name).kind()).finish()
}

//! Sorting by fields. Invariant: absent values stand last when rising and first when falling; equal rows keep their order.

use super::fetch;
use super::reduce::Reduced;
use super::{Place, Scope};
use crate::api::Order;
use crate::{Error, ErrorKind};
use data::{Column, Field, Schema, Type, Values};
use std::cmp::Ordering;

/// A column to sort by.
#[derive(Debug)]
pub(super) struct Sorter {
    pub(super) column: Column,
    pub(super) is_falling: bool,
}

/// Which of two rows comes first.
pub(super) fn compare(sorters: &[Sorter], a: u32, b: u32) -> Ordering {
    let mut each = sorters.iter().map(|sorter| {
        let order = compare_values(&sorter.column, a as usize, b as usize);
        if sorter.is_falling { order.reverse() } else { order }
    });
    each.find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

/// Absent values are the largest.
pub(super) fn compare_values(column: &Column, a: usize, b: usize) -> Ordering {
    match (column.is_valid(a), column.is_valid(b)) {
        (true, true) => {}
        (a, b) => return b.cmp(&a),
    }
    match column.values() {
        Values::Bool(v) => v.value(a).cmp(&v.value(b)),
        Values::Int8(v) => v[a].cmp(&v[b]),
        Values::Int16(v) => v[a].cmp(&v[b]),
        Values::Int32(v) => v[a].cmp(&v[b]),
        Values::Int64(v) | Values::Timestamptz(v) => v[a].cmp(&v[b]),
        Values::Float(v) => v[a].total_cmp(&v[b]),
        Values::Double(v) => v[a].total_cmp(&v[b]),
        Values::Text(v) => v.get(a).cmp(v.get(b)),
        // Nothing else is let in by `field`.
        _ => Ordering::Equal,
    }
}

/// The field that an order names.
pub(super) fn field<'a>(schema: &'a Schema, order: &Order) -> Result<&'a Field, Error> {
    let name = &order.field;
    let field = schema.field(name).ok_or_else(|| {
        Error::new(
            ErrorKind::FieldNotFound,
            format!("order by field {name} does not exist: field not found[field={name}]"),
        )
    })?;
    match field.data_type {
        Type::Bool | Type::Int8 | Type::Int16 | Type::Int32 | Type::Int64 | Type::Timestamptz => Ok(field),
        Type::Float | Type::Double | Type::VarChar => Ok(field),
        other => Err(Error::invalid(format!(
            "order by field {name} has unsupported data type {other:?}; numbers, BOOL, VARCHAR and TIMESTAMPTZ can be sorted"
        ))),
    }
}

/// The columns to sort the rows at `places` by.
fn sorters(scope: &Scope, places: &[Place], orders: &[Order]) -> Result<Vec<Sorter>, Error> {
    let sorter = |order: &Order| {
        let column = fetch::read(scope, field(scope.schema(), order)?, places)?;
        Ok(Sorter { column, is_falling: order.is_falling })
    };
    orders.iter().map(sorter).collect()
}

/// The positions of `places` sorted by fields.
pub(super) fn rows(scope: &Scope, places: &[Place], orders: &[Order]) -> Result<Vec<u32>, Error> {
    let sorters = sorters(scope, places, orders)?;
    let mut picks: Vec<u32> = (0..places.len() as u32).collect();
    picks.sort_by(|a, b| compare(&sorters, *a, *b));
    Ok(picks)
}

/// The hits of each query sorted by fields.
pub(super) fn hits(scope: &Scope, reduced: &Reduced, orders: &[Order]) -> Result<Reduced, Error> {
    let sorters = sorters(scope, &reduced.places, orders)?;
    let mut picks: Vec<u32> = (0..reduced.places.len() as u32).collect();
    let mut start = 0;
    for count in &reduced.counts {
        picks[start..start + count].sort_by(|a, b| compare(&sorters, *a, *b));
        start += count;
    }
    reduced.pick(&picks, reduced.counts.clone())
}

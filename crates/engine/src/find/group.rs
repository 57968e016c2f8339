//! Hits in groups by the value of a field. Invariant: as many groups as were asked for come back if there are so many,
//! each led by its nearest row; groups stand in the order of their nearest rows.

use super::Scope;
use super::cells::{GroupField, Groups};
use super::plan::{self, Aim, Plan};
use super::reduce::{Reduced, Window, reduce};
use super::scatter;
use crate::Error;
use crate::api::{Group, OutputField, Search};
use crate::node::Node;
use data::{Column, Schema};
use segment::Segment;

/// The most rows a group (`quotaAndLimits.limits.maxGroupSize`).
const SIZE_MAX: usize = 10;

/// The best groups, and the values each hit's group has in common.
pub(super) fn best(
    node: &Node,
    scope: &Scope,
    search: &Search,
    plan: Plan<'_>,
    group: &Group,
) -> Result<(Reduced, Vec<OutputField>), Error> {
    let size = group.size;
    if !(1..=SIZE_MAX).contains(&size) {
        return Err(Error::invalid(format!(
            "input group size:{size} exceeds configured max group size:{SIZE_MAX}, it should be in range [1, {SIZE_MAX}]"
        )));
    }
    kept(node, scope, search, plan, group)
}

/// The same for groups of any size.
pub(super) fn kept(
    node: &Node,
    scope: &Scope,
    search: &Search,
    mut plan: Plan<'_>,
    group: &Group,
) -> Result<(Reduced, Vec<OutputField>), Error> {
    check(scope.schema(), &plan, group)?;
    let by = group.fields.iter().map(|name| GroupField::new(scope.schema(), name));
    let by = by.collect::<Result<Vec<_>, _>>()?;
    let rows: usize = match plan.aim {
        // How many structs there are shows when there are no more.
        Aim::Elements => u32::MAX as usize / 2,
        Aim::Rows | Aim::Lists => scope.segments.iter().map(Segment::rows).sum(),
    };
    let mut k = (search.offset + search.limit).saturating_mul(group.size);
    loop {
        plan.query = plan::wider_query(&scope.collection, plan.field, search, k)?;
        let window = Window { offset: 0, limit: k, k, elements: plan.aim == Aim::Elements };
        let hits = scatter::ask(node, scope, &plan)?;
        let reduced = reduce(scope, &hits, plan.metric, plan.queries.len(), &window)?;
        let values = by.iter().map(|by| by.read(scope, &reduced.places)).collect::<Result<Vec<_>, _>>()?;
        let is_all = |q: usize| k >= rows || reduced.counts[q] < k && !reduced.is_short[q];
        if let Some((picks, counts)) = pick(&reduced.counts, &values, search, group, is_all) {
            let shown = by.iter().zip(&group.fields).zip(&values).map(|((by, name), values)| OutputField {
                field: by.shown(name),
                column: values.take(&picks),
                dynamic_keys: Vec::new(),
            });
            return Ok((reduced.pick(&picks, counts)?, shown.collect()));
        }
        k = k.saturating_mul(4).min(rows);
    }
}

fn check(schema: &Schema, plan: &Plan<'_>, group: &Group) -> Result<(), Error> {
    let is_primary =
        schema.primary().is_some_and(|field| [&field.name] == group.fields.iter().collect::<Vec<_>>()[..]);
    if plan.aim != Aim::Elements || is_primary {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "structs cannot be grouped by {}: only group by primary key is supported for element-level search",
        group.fields.join(", ")
    )))
}

/// Chooses the hits of each query's best groups, group after group; `None`: more hits must be known. `is_all` says that a
/// query's hits are all there are.
fn pick(
    counts: &[usize],
    values: &[Column],
    search: &Search,
    group: &Group,
    is_all: impl Fn(usize) -> bool,
) -> Option<(Vec<u32>, Vec<usize>)> {
    let wanted = search.offset + search.limit;
    let mut groups = Groups::default();
    let (mut picks, mut kept, mut start) = (Vec::new(), Vec::with_capacity(counts.len()), 0);
    for (query, count) in counts.iter().enumerate() {
        groups.clear();
        let mut members: Vec<Vec<u32>> = Vec::new();
        for hit in start..start + count {
            let (number, is_new) = groups.number(values, hit);
            if is_new {
                members.push(Vec::new());
            }
            let of_group = members.get_mut(number as usize).filter(|_| (number as usize) < wanted);
            if let Some(of_group) = of_group.filter(|of_group| of_group.len() < group.size) {
                of_group.push(hit as u32);
            }
        }
        start += count;
        members.truncate(wanted);
        let is_full = members.iter().all(|hits| hits.len() == group.size);
        if (members.len() < wanted || group.is_strict && !is_full) && !is_all(query) {
            return None;
        }
        let before = picks.len();
        picks.extend(members.into_iter().skip(search.offset).flatten());
        kept.push(picks.len() - before);
    }
    Some((picks, kept))
}

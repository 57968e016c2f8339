//! Buckets of a search: as they are asked for, and as they are told.

use super::signed;
use crate::status::Fault;
use data::Zone;
use engine::api::{Bucket, BucketOrder, Buckets, Found, Measure, Order, TopHits};
use wire::proto::common::{SearchAggregationSpec, TopHitsSpec};
use wire::proto::schema::AggBucket;

/// Understands a level and those inside of it.
pub(super) fn wanted(spec: SearchAggregationSpec) -> Result<Buckets, Fault> {
    let mut measures: Vec<Measure> = spec.metrics.into_iter().map(measure).collect();
    // The message has no order of its own.
    measures.sort_by(|a, b| a.alias.cmp(&b.alias));
    let order = spec.order.into_iter().map(|one| {
        let is_falling = is_falling(&one.direction)?;
        Ok(BucketOrder { key: one.key, is_falling, nulls_first: one.null_first })
    });
    Ok(Buckets {
        fields: spec.fields,
        size: size(spec.size)?,
        search_size: if spec.search_size == 0 { None } else { Some(size(spec.search_size)?) },
        measures,
        order: order.collect::<Result<_, Fault>>()?,
        hits: spec.top_hits.map(top_hits).transpose()?,
        inner: spec.sub_aggregation.map(|inner| wanted(*inner)).transpose()?.map(Box::new),
    })
}

fn measure((alias, spec): (String, wire::proto::common::MetricAggSpec)) -> Measure {
    Measure { alias, function: spec.op.to_ascii_lowercase(), field: spec.field_name }
}

fn top_hits(spec: TopHitsSpec) -> Result<TopHits, Fault> {
    let sort = spec
        .sort
        .into_iter()
        .map(|one| Ok(Order { is_falling: is_falling(&one.direction)?, field: one.field_name }));
    Ok(TopHits { size: size(spec.size)?, sort: sort.collect::<Result<_, Fault>>()? })
}

fn size(number: i64) -> Result<usize, Fault> {
    usize::try_from(number).ok().filter(|size| *size > 0).ok_or_else(|| {
        Fault::invalid(format_args!("sizes of a search aggregation must be greater than 0, but got {number}"))
    })
}

fn is_falling(direction: &str) -> Result<bool, Fault> {
    match direction.to_ascii_lowercase().as_str() {
        "" | "asc" => Ok(false),
        "desc" => Ok(true),
        other => Err(Fault::invalid(format_args!("direction {other} is neither asc nor desc"))),
    }
}

/// The buckets of all queries, one after the other, and how many each has.
pub(super) fn told(found: &Found, zone: &Zone) -> Option<(Vec<AggBucket>, Vec<i64>)> {
    let all = found.buckets.as_ref()?;
    let counts = all.iter().map(|buckets| signed(buckets.len())).collect();
    Some((all.iter().flatten().map(|bucket| message(bucket, found, zone)).collect(), counts))
}

fn message(bucket: &Bucket, found: &Found, zone: &Zone) -> AggBucket {
    let hits = bucket.hits.iter().map(|place| {
        let fields = found.fields.iter();
        let fields = fields
            .filter_map(|one| wire::buckets::hit_field(&one.field, &one.column, *place, zone))
            .collect();
        wire::buckets::hit(found.keys.get(*place), found.scores[*place], fields)
    });
    let measures = bucket.measures.iter();
    AggBucket {
        key: bucket.key.iter().map(|(field, value)| wire::buckets::key(field, value.clone())).collect(),
        count: signed(bucket.count),
        metrics: measures
            .map(|(alias, value)| (alias.clone(), wire::buckets::metric(value.clone())))
            .collect(),
        hits: hits.collect(),
        sub_groups: bucket.inner.iter().map(|inner| message(inner, found, zone)).collect(),
    }
}

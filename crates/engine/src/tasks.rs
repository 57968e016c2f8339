//! Flush and compact, as tasks of [`api`](crate::api).

use crate::api::{
    Compact, Compacted, CompactionInfo, CompactionState, Flush, FlushAll, FlushState, Flushed, Task,
};
use crate::{Engine, Error};
use data::{CollectionId, SegmentId, Timestamp};

impl Task for Flush {
    type Outcome = Vec<Flushed>;

    fn run(self, engine: &Engine) -> Result<Self::Outcome, Error> {
        let node = engine.node();
        let mut flushed = Vec::new();
        for target in self.targets {
            let catalog = node.registry.current();
            let collection = catalog.collection(&target)?;
            let timestamp = node.now();
            let segments = node.flush(collection.id)?;
            let earlier: Vec<SegmentId> = collection.segments.iter().map(|entry| entry.id).collect();
            flushed.push(Flushed { target, collection: collection.id, segments, earlier, timestamp });
        }
        Ok(flushed)
    }
}

impl Task for FlushAll {
    type Outcome = Timestamp;

    fn run(self, engine: &Engine) -> Result<Self::Outcome, Error> {
        let node = engine.node();
        let timestamp = node.now();
        for shard in node.all_shards() {
            node.flush(shard.id)?;
        }
        Ok(timestamp)
    }
}

impl Task for FlushState {
    type Outcome = bool;

    fn run(self, engine: &Engine) -> Result<Self::Outcome, Error> {
        let node = engine.node();
        let only = match &self.target {
            Some(target) => Some(node.registry.current().collection(target)?.id),
            None => None,
        };
        let wanted = |id: CollectionId| only.is_none_or(|only| only == id);
        let shards: Vec<_> = node.all_shards().into_iter().filter(|shard| wanted(shard.id)).collect();
        let in_memory = |id: SegmentId| {
            let members = shards.iter().flat_map(|shard| shard.members().list.clone());
            members.into_iter().any(|member| {
                member.segment.id() == id && matches!(member.segment, segment::Segment::Growing(_))
            })
        };
        if self.segments.iter().any(|id| in_memory(*id)) {
            return Ok(false);
        }
        if self.timestamp == Timestamp::ZERO {
            return Ok(true);
        }
        let waits = |shard: &crate::shard::Shard| {
            let members = shard.members();
            members.list.iter().any(|member| {
                let growing = matches!(member.segment, segment::Segment::Growing(_));
                growing && member.segment.rows() > 0 && member.segment.min_stamp() <= self.timestamp
            })
        };
        Ok(!shards.iter().any(|shard| waits(shard)))
    }
}

impl Task for Compact {
    type Outcome = i64;

    fn run(self, engine: &Engine) -> Result<Self::Outcome, Error> {
        let node = engine.node();
        let catalog = node.registry.current();
        let collection = match self.id {
            Some(id) => catalog.collection_by_id(id)?,
            None => catalog.collection(&self.target)?,
        };
        let number = node.oracle.next().0 as i64;
        node.bells.compactions.ask(number, collection.id);
        node.bells.keeper.ring();
        Ok(number)
    }
}

impl Task for Compacted {
    type Outcome = CompactionInfo;

    fn run(self, engine: &Engine) -> Result<Self::Outcome, Error> {
        let asked = engine.node().bells.compactions.look(self.0);
        let asked = asked.ok_or_else(|| Error::invalid(format!("there is no compaction {}", self.0)))?;
        let completed = asked.plans.len() as i64;
        Ok(CompactionInfo {
            state: if asked.is_done { CompactionState::Completed } else { CompactionState::Executing },
            executing: i64::from(!asked.is_done),
            completed,
            failed: asked.failed,
            plans: asked.plans,
        })
    }
}

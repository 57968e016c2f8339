//! Graphs of the rows of filters that are searched through often, made when there is nothing else to build.
//!
//! Invariant: they take memory that is free, and give it back to whoever needs it. They are in no file: a filter that is asked for
//! again after a start earns its graph anew.

use crate::api::SubgraphInfo;
use crate::node::Node;
use crate::{Error, ErrorKind};
use data::FieldId;
use segment::{Sealed, Segment};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// The same rows make the same graph.
const SEED: u64 = 42;

impl Node {
    /// Makes one graph that is worth it; whether there was one to make.
    pub(crate) fn build_subgraph(&self) -> bool {
        let Some((sealed, field)) = self.wanted_subgraph() else { return false };
        // Searches that could do without go first.
        let pool = if self.searched_until_ms().is_some() { &self.pools.yielding } else { &self.pools.build };
        let take = |bytes| self.budget.take(bytes);
        match sealed.build_subgraph(field, SEED, &take, (pool, &self.stopping)).map_err(Error::from) {
            Ok(is_built) => _ = self.subgraphs_built.fetch_add(u64::from(is_built), Ordering::Relaxed),
            // There is no room for what only makes things faster, or the engine closes.
            Err(error) if matches!(error.kind(), ErrorKind::MemoryLimit | ErrorKind::Cancelled) => {}
            Err(error) => self.trouble(format!("a graph for a filter of segment {}: {error}", sealed.id())),
        }
        true
    }

    fn wanted_subgraph(&self) -> Option<(Arc<Sealed>, FieldId)> {
        let is_wanted = |segment: &Segment| {
            let Segment::Sealed(sealed) = segment else { return None };
            let field = sealed.indexed_fields().into_iter().find(|field| sealed.wants_subgraph(*field))?;
            Some((Arc::clone(sealed), field))
        };
        let shards = self.all_shards();
        shards
            .iter()
            .find_map(|shard| shard.members().list.iter().find_map(|member| is_wanted(&member.segment)))
    }

    /// Lets all of them go.
    pub(crate) fn forget_subgraphs(&self) {
        self.each_sealed(|sealed| sealed.forget_subgraphs());
    }

    /// How many there are, and have been since the start.
    pub(crate) fn subgraphs(&self) -> SubgraphInfo {
        let (mut count, mut bytes) = (0, 0);
        self.each_sealed(|sealed| {
            let (more, more_bytes) = sealed.subgraphs();
            count += more as u64;
            bytes += more_bytes;
        });
        // One that is kept already is counted as built a moment later.
        let built = self.subgraphs_built.load(Ordering::Relaxed).max(count);
        SubgraphInfo { count, bytes, built, dropped: built - count }
    }

    fn each_sealed(&self, mut visit: impl FnMut(&Sealed)) {
        for shard in self.all_shards() {
            for member in &shard.members().list {
                if let Segment::Sealed(sealed) = &member.segment {
                    visit(sealed);
                }
            }
        }
    }
}

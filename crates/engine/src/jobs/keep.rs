//! The keeper: flushes what is large, waited for, or quiet; merges small segments; keeps the log short.

use crate::catalog::Collection;
use crate::node::Node;
use crate::shard::Shard;
use std::time::Duration;

/// The log may be this many times as long as the largest growing segment before its oldest holder is flushed.
const LOG_SEGMENTS_MAX: u64 = 4;
/// How long to wait before trying again what failed.
const RETRY: Duration = Duration::from_secs(5);

impl Node {
    /// Does all there is to do now. Gives the time until there may be more; `None`: until the bell rings.
    pub(crate) fn keep(&self) -> Option<Duration> {
        let catalog = self.registry.current();
        let mut next: Option<Duration> = None;
        let mut sooner = |wait: Duration| next = Some(next.map_or(wait, |known| known.min(wait)));
        for collection in catalog.collections.values() {
            if self.stopping.is_cancelled() {
                return None;
            }
            let Ok(shard) = self.shard(collection.id) else { continue };
            match self.due(&shard, collection) {
                Due::Now if !self.flush_quietly(collection.id) => sooner(RETRY),
                Due::In(wait) => sooner(wait),
                Due::Now | Due::Never => {}
            }
            if !self.merge_due(collection.id) {
                sooner(RETRY);
            }
        }
        if self.log.bytes() > LOG_SEGMENTS_MAX * self.settings.segment_bytes_max
            && let Some(holder) = self.holder_of_log()
            && !self.flush_quietly(holder)
        {
            sooner(RETRY);
        }
        // What was to be merged first can be indexed now.
        self.bells.builder.ring();
        next
    }

    /// Whether the growing rows of a collection are to be flushed for being many.
    pub(crate) fn is_full(&self, shard: &Shard, collection: &Collection) -> bool {
        let growing = shard.growing();
        let bytes: u64 = growing.iter().map(|segment| segment.bytes() as u64).sum();
        let rows: u64 = growing.iter().map(|segment| segment.rows() as u64).sum();
        let is_scanned =
            collection.is_loaded() && !collection.indexes.is_empty() && rows >= self.settings.index_rows_min;
        bytes >= self.settings.segment_bytes_max || is_scanned && bytes >= self.settings.scanned_bytes_max
    }

    fn due(&self, shard: &Shard, collection: &Collection) -> Due {
        if self.is_full(shard, collection) {
            return Due::Now;
        }
        let growing = shard.growing();
        let worth = |segment: &&std::sync::Arc<segment::Growing>| {
            segment.rows() as u64 >= self.settings.index_rows_min
        };
        let Some(oldest) = growing.iter().filter(worth).map(|segment| segment.min_stamp()).min() else {
            return Due::Never;
        };
        // Whoever makes an index waits for it, on the rows that are there.
        if collection.indexes.iter().any(|index| index.created_at >= oldest) {
            return Due::Now;
        }
        let idle_ms = self.oracle.clock().now_ms().saturating_sub(shard.last_write_ms());
        match self.settings.idle_flush_ms.checked_sub(idle_ms) {
            None | Some(0) => Due::Now,
            Some(rest_ms) => Due::In(Duration::from_millis(rest_ms)),
        }
    }
}

/// When to flush.
enum Due {
    Now,
    In(Duration),
    Never,
}

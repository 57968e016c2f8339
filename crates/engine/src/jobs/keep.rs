//! The keeper: flushes what is large, waited for, or quiet; merges small segments; keeps the log short.

use crate::catalog::Collection;
use crate::node::Node;
use crate::shard::Shard;
use std::time::Duration;

/// The log may be this many times as long as the largest growing segment before its oldest holder is flushed.
const LOG_SEGMENTS_MAX: u64 = 4;
/// A pause between two writes that is none yet, in milliseconds.
const PAUSE_MS_MIN: u64 = 200;
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
        let bytes = growing_bytes(shard);
        let is_scanned = self.is_scanned(shard, collection);
        bytes >= self.settings.segment_bytes_max || is_scanned && bytes >= self.settings.scanned_bytes_max
    }

    /// Whether growing rows are worth an index.
    pub(crate) fn has_worth(&self, shard: &Shard) -> bool {
        shard.growing().iter().any(|segment| segment.rows() as u64 >= self.settings.index_rows_min)
    }

    /// Whether growing rows are scanned that an index waits for.
    fn is_scanned(&self, shard: &Shard, collection: &Collection) -> bool {
        let rows: u64 = shard.growing().iter().map(|segment| segment.rows() as u64).sum();
        collection.is_loaded() && !collection.indexes.is_empty() && rows >= self.settings.index_rows_min
    }

    /// How long no write must have come for growing rows to be flushed: the more of them are scanned, the shorter.
    fn pause_ms(&self, shard: &Shard, collection: &Collection) -> u64 {
        let (longest, most) = (self.settings.idle_flush_ms, self.settings.scanned_bytes_max.max(1));
        if !self.is_scanned(shard, collection) {
            return longest;
        }
        let room = most.saturating_sub(growing_bytes(shard));
        let share_ms = u128::from(longest) * u128::from(room) / u128::from(most);
        (share_ms as u64).max(PAUSE_MS_MIN.min(longest))
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
        let wait_ms = self.pause_ms(shard, collection);
        let idle_ms = self.oracle.clock().now_ms().saturating_sub(shard.last_write_ms());
        match wait_ms.checked_sub(idle_ms) {
            None | Some(0) => Due::Now,
            // Until then there may be more of them.
            Some(rest_ms) => Due::In(Duration::from_millis(rest_ms.min(PAUSE_MS_MIN))),
        }
    }
}

fn growing_bytes(shard: &Shard) -> u64 {
    shard.growing().iter().map(|segment| segment.bytes() as u64).sum()
}

/// When to flush.
enum Due {
    Now,
    In(Duration),
    Never,
}

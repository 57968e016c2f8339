//! How far an index is: derived from the catalogue and the segments, so it cannot lie. Invariant:
//! `total = indexed + pending`, and the state is finished exactly when nothing is pending.

use crate::api::{IndexBuild, IndexInfo, IndexState, Indexes, Question};
use crate::catalog::{Collection, Index, IndexSpec, index_not_found};
use crate::node::Node;
use crate::shard::Role;
use crate::{Engine, Error};
use data::SegmentId;

impl Question for Indexes {
    type Answer = Vec<IndexInfo>;

    fn answer(self, engine: &Engine) -> Result<Self::Answer, Error> {
        let node = engine.node();
        let catalog = node.registry.current();
        let collection = catalog.collection(&self.target)?;
        let field = collection.schema.field(&self.field).map(|field| field.id);
        let by_name = |index: &&Index| {
            // Old clients send a default name together with the field.
            let is_default = self.index == "_default_idx" && !self.field.is_empty();
            self.index.is_empty() || index.name == self.index || (is_default && Some(index.field) == field)
        };
        let by_field = |index: &&Index| self.field.is_empty() || Some(index.field) == field;
        let found = collection.indexes.iter().filter(by_name).filter(by_field);
        let found: Vec<IndexInfo> =
            found.map(|index| node.index_info(collection, index)).collect::<Result<_, _>>()?;
        match (found.is_empty(), self.index.as_str()) {
            (false, _) => Ok(found),
            (true, "") => Err(index_not_found("collection", &self.target.collection)),
            (true, name) => Err(index_not_found("indexName", name)),
        }
    }
}

/// Rows of one segment, as an index sees it.
struct Part {
    id: SegmentId,
    rows: u64,
}

impl Node {
    fn index_info(&self, collection: &Collection, index: &Index) -> Result<IndexInfo, Error> {
        let field = collection.schema.field_by_id(index.field);
        let field = field.ok_or_else(|| Error::internal("an index without its field"))?;
        let spec = IndexSpec::parse(field, &collection.schema, &index.params)?;
        let mut build = IndexBuild { effective: spec.effective(), ..IndexBuild::default() };
        let is_loaded = collection.is_loaded();
        let mut pending: Vec<Part> = Vec::new();
        for entry in &collection.segments {
            match entry.indexes.iter().find(|built| built.index == index.id) {
                Some(built) => {
                    build.built_rows += entry.rows;
                    build.file_bytes += built.bytes;
                    build.memory_bytes += if is_loaded { self.kept_index_bytes(&spec, built) } else { 0 };
                    build.build_seconds += built.build_ms as f64 / 1_000.0;
                    build.effective.clone_from(&built.effective);
                }
                None if entry.rows < self.settings.index_rows_min => build.scanned_rows += entry.rows,
                None => pending.push(Part { id: entry.id, rows: entry.rows }),
            }
        }
        for part in self.growing_parts(collection, index)? {
            if part.rows < self.settings.index_rows_min {
                build.scanned_rows += part.rows;
            } else {
                pending.push(part);
            }
        }
        if let Some(running) = self.bells.builds.running().filter(|running| running.index == index.id) {
            let (done, _) = running.progress.get();
            let passed_ms = self.oracle.clock().now_ms().saturating_sub(running.started_ms).max(1);
            build.running = Some((done, done as f64 * 1_000.0 / passed_ms as f64));
        }
        let failure = pending.iter().find_map(|part| self.bells.builds.failure(part.id, index.id));
        let pending_rows: u64 = pending.iter().map(|part| part.rows).sum();
        let indexed_rows = build.built_rows + build.scanned_rows;
        let state = match (&failure, pending_rows) {
            (Some(_), _) => IndexState::Failed,
            (None, 0) => IndexState::Finished,
            (None, _) => IndexState::InProgress,
        };
        let reason = failure.unwrap_or_else(|| self.why_scanned(&build));
        Ok(IndexInfo {
            id: index.id,
            name: index.name.clone(),
            field: field.name.clone(),
            params: index.params.clone(),
            echo: if index.echo.is_empty() { index.params.clone() } else { index.echo.clone() },
            state,
            reason,
            total_rows: indexed_rows + pending_rows,
            indexed_rows,
            pending_rows,
            build,
            created_at: index.created_at,
        })
    }

    /// Rows that are not in files yet and count for this index: those being written, and those that were there when the
    /// index was made. Rows that came later count once they are in a file.
    fn growing_parts(&self, collection: &Collection, index: &Index) -> Result<Vec<Part>, Error> {
        let shard = self.shard(collection.id)?;
        let members = shard.members();
        let in_memory = members.list.iter().filter(|member| {
            let known = collection.segments.iter().any(|entry| entry.id == member.segment.id());
            let counts = match member.role {
                Role::Frozen => true,
                Role::Growing => member.segment.min_stamp() <= index.created_at,
                Role::Sealed { .. } => false,
            };
            counts && !known
        });
        let parts =
            in_memory.map(|member| Part { id: member.segment.id(), rows: member.segment.rows() as u64 });
        Ok(parts.filter(|part| part.rows > 0).collect())
    }

    fn why_scanned(&self, build: &IndexBuild) -> String {
        if build.scanned_rows == 0 {
            return String::new();
        }
        let (rows, min) = (build.scanned_rows, self.settings.index_rows_min);
        format!(
            "{rows} rows are in segments with fewer than {min} rows: they get no index and are searched by scan"
        )
    }
}

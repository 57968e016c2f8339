//! What can be set, with defaults.

use std::path::PathBuf;

/// The engine's settings. Limits that a request can run into carry Milvus's defaults.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where the data are, for messages.
    pub folder: PathBuf,
    /// Whether a write is on disk before it is acknowledged. Off: the operating system decides when, and a power cut
    /// may take the last seconds (a crash of this process alone takes nothing).
    pub sync_writes: bool,
    /// Threads for searches.
    pub search_threads: usize,
    /// Threads for index builds.
    pub build_threads: usize,
    /// The most memory that loaded data and builds may take together; at first 90 % of the machine's.
    pub memory_limit_bytes: u64,
    /// Segments with fewer rows get no index (`rootCoord.minSegmentSizeToEnableIndex`).
    pub index_rows_min: u64,
    /// A growing segment is written to a file when it is this large.
    pub segment_bytes_max: u64,
    /// The same where the rows are searched and an index waits for them: until they are in a file, they are scanned.
    pub scanned_bytes_max: u64,
    /// Segments are merged up to this size (`dataCoord.segment.maxSize`).
    pub merged_bytes_max: u64,
    /// Growing rows worth an index are flushed when no write came for this long; sooner the more of them are scanned
    /// (`scanned_bytes_max`).
    pub idle_flush_ms: u64,
    /// How long rows that came after their index may wait for it while searches come; they are scanned meanwhile.
    pub build_delay_ms: u64,
    /// How long deleted rows can still be seen by time travel (`common.retentionDuration`).
    pub retention_ms: u64,
    /// Dropping a vector index of a loaded collection: `false` refuses as Milvus does, `true` falls back to scan.
    pub drop_index_online: bool,
    /// Collections without an index on every vector field can be loaded and are scanned; `false` refuses as Milvus does.
    pub load_without_index: bool,
    /// The most collections.
    pub collections_max: usize,
    /// The most databases.
    pub databases_max: usize,
    /// The most partitions of a collection.
    pub partitions_max: usize,
    /// The most fields of a collection.
    pub fields_max: usize,
    /// The most vector fields of a collection.
    pub vector_fields_max: usize,
    /// The most shards of a collection.
    pub shards_max: u32,
    /// The most components of a dense vector.
    pub dim_max: usize,
    /// The most bytes of a VARCHAR value.
    pub varchar_bytes_max: usize,
    /// The most bytes of a JSON value.
    pub json_bytes_max: usize,
    /// The largest limit, and limit + offset.
    pub limit_max: usize,
    /// The most queries a search.
    pub queries_max: usize,
    /// The most bytes an answer may have, about; more is refused before it is put together.
    pub output_bytes_max: u64,
}

/// The share of the machine's memory that may be taken when nothing else is set.
const MEMORY_PERCENT_MAX: u64 = 90;

impl Default for Settings {
    fn default() -> Self {
        let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self {
            folder: PathBuf::from("elanus-data"),
            sync_writes: true,
            search_threads: cpus,
            build_threads: cpus,
            memory_limit_bytes: host::machine_memory_bytes() / 100 * MEMORY_PERCENT_MAX,
            index_rows_min: 1024,
            segment_bytes_max: 256 << 20,
            scanned_bytes_max: 32 << 20,
            merged_bytes_max: 1 << 30,
            idle_flush_ms: 2_000,
            build_delay_ms: 15_000,
            retention_ms: 0,
            drop_index_online: false,
            load_without_index: true,
            collections_max: 65_536,
            databases_max: 64,
            partitions_max: 1_024,
            fields_max: 64,
            vector_fields_max: 10,
            shards_max: 16,
            dim_max: 32_768,
            varchar_bytes_max: 65_535,
            json_bytes_max: 65_536,
            limit_max: 16_384,
            queries_max: 16_384,
            output_bytes_max: 100 << 20,
        }
    }
}

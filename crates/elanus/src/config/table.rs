//! Every setting, declared once: names, what it does, how to read and to show it.

use super::Config;
use std::path::PathBuf;

/// A setting.
pub(super) struct Key {
    /// Its name, and older ones.
    pub(super) names: &'static [&'static str],
    /// What it does.
    pub(super) doc: &'static str,
    /// Shows it.
    pub(super) get: fn(&Config) -> String,
    /// Sets it; the error says what would be right.
    pub(super) set: fn(&mut Config, &str) -> Result<(), &'static str>,
}

macro_rules! number {
    ([$($name:literal),+], $doc:literal, $($field:ident).+) => {
        Key {
            names: &[$($name),+],
            doc: $doc,
            get: |config| config.$($field).+.to_string(),
            set: |config, text| {
                config.$($field).+ = text.parse().map_err(|_| "a whole number")?;
                Ok(())
            },
        }
    };
}

macro_rules! flag {
    ($name:literal, $doc:literal, $($field:ident).+) => {
        Key {
            names: &[$name],
            doc: $doc,
            get: |config| config.$($field).+.to_string(),
            set: |config, text| {
                config.$($field).+ = text.parse().map_err(|_| "true or false")?;
                Ok(())
            },
        }
    };
}

macro_rules! mib {
    ($name:literal, $doc:literal, $($field:ident).+) => {
        Key {
            names: &[$name],
            doc: $doc,
            get: |config| (config.$($field).+ >> 20).to_string(),
            set: |config, text| {
                let number: u64 = text.parse().map_err(|_| "a number of MiB")?;
                config.$($field).+ = number.checked_mul(1 << 20).ok_or("a number of MiB")?;
                Ok(())
            },
        }
    };
}

/// The table.
pub(super) const KEYS: &[Key] = &[
    Key {
        names: &["localStorage.path"],
        doc: "The data folder. Nobody but this process may use it.",
        get: |config| config.engine.folder.display().to_string(),
        set: |config, text| {
            config.engine.folder = PathBuf::from(text);
            Ok(())
        },
    },
    Key {
        names: &["proxy.ip"],
        doc: "The address to listen on. Without authentication, stay on 127.0.0.1.",
        get: |config| config.server.address.ip().to_string(),
        set: |config, text| {
            let ip = text.parse().map_err(|_| "an IP address")?;
            config.server.address.set_ip(ip);
            if let Some(admin) = &mut config.server.admin_address {
                admin.set_ip(ip);
            }
            Ok(())
        },
    },
    Key {
        names: &["proxy.port"],
        doc: "The port of gRPC; 0 takes a free one.",
        get: |config| config.server.address.port().to_string(),
        set: |config, text| {
            config.server.address.set_port(text.parse().map_err(|_| "a port from 0 to 65535")?);
            Ok(())
        },
    },
    Key {
        names: &["elanus.metricsPort", "metrics.port"],
        doc: "The port of health and metrics; `none` opens no such port.",
        get: |config| {
            config.server.admin_address.map_or("none".to_owned(), |address| address.port().to_string())
        },
        set: |config, text| {
            config.server.admin_address = match text {
                "none" => None,
                port => {
                    let port = port.parse().map_err(|_| "a port from 0 to 65535, or none")?;
                    Some((config.server.address.ip(), port).into())
                }
            };
            Ok(())
        },
    },
    number!(["proxy.grpc.serverMaxRecvSize"], "The most bytes of a request.", server.receive_bytes_max),
    number!(["proxy.grpc.serverMaxSendSize"], "The most bytes of a reply.", server.send_bytes_max),
    flag!(
        "elanus.syncWrites",
        "Whether a write is on disk before it is acknowledged. false: a power cut may take the last seconds; a crash of this process alone takes nothing.",
        engine.sync_writes
    ),
    Key {
        names: &["elanus.memoryLimit"],
        doc: "The most memory that loaded data and index builds may take together, as bytes or with KiB, MiB, GiB; `none` sets no limit. A load that cannot fit fails at once.",
        get: |config| match config.engine.memory_limit_bytes {
            u64::MAX => "none".to_owned(),
            bytes => bytes.to_string(),
        },
        set: |config, text| {
            config.engine.memory_limit_bytes = match text {
                "none" => u64::MAX,
                text => size(text).ok_or("bytes, or a number with KiB, MiB or GiB, or none")?,
            };
            Ok(())
        },
    },
    number!(["elanus.searchThreads"], "Threads for searches.", engine.search_threads),
    number!(["elanus.buildThreads"], "Threads for index builds.", engine.build_threads),
    number!(
        ["rootCoord.minSegmentSizeToEnableIndex", "indexCoord.segment.minSegmentNumRowsToEnableIndex"],
        "Segments with fewer rows get no index and are scanned.",
        engine.index_rows_min
    ),
    mib!(
        "elanus.segmentSize",
        "A growing segment of this many MiB is written to a file.",
        engine.segment_bytes_max
    ),
    mib!(
        "elanus.scannedSize",
        "The same where an index of a loaded collection waits for the rows: until then they are scanned.",
        engine.scanned_bytes_max
    ),
    mib!("dataCoord.segment.maxSize", "Segments are merged up to this many MiB.", engine.merged_bytes_max),
    number!(
        ["elanus.idleFlushMs"],
        "Growing rows worth an index are written to a file when no write came for this many milliseconds; sooner if many are scanned.",
        engine.idle_flush_ms
    ),
    number!(
        ["elanus.buildDelayMs"],
        "While searches come, rows that came after their index are scanned for this many milliseconds before theirs is built.",
        engine.build_delay_ms
    ),
    Key {
        names: &["common.retentionDuration"],
        doc: "For how many seconds deleted rows can still be seen by time travel.",
        get: |config| (config.engine.retention_ms / 1_000).to_string(),
        set: |config, text| {
            let seconds: u64 = text.parse().map_err(|_| "a number of seconds")?;
            config.engine.retention_ms = seconds.checked_mul(1_000).ok_or("a number of seconds")?;
            Ok(())
        },
    },
    flag!(
        "elanus.dropIndexOnline",
        "Dropping a vector index of a loaded collection: false refuses as Milvus does, true goes on by scan.",
        engine.drop_index_online
    ),
    flag!(
        "elanus.loadWithoutIndex",
        "Loading a collection without an index on every vector field: true searches by scan, false refuses as Milvus does.",
        engine.load_without_index
    ),
    number!(["quotaAndLimits.limits.maxCollectionNum"], "The most collections.", engine.collections_max),
    number!(["rootCoord.maxDatabaseNum"], "The most databases.", engine.databases_max),
    number!(["rootCoord.maxPartitionNum"], "The most partitions of a collection.", engine.partitions_max),
    number!(["proxy.maxFieldNum"], "The most fields of a collection.", engine.fields_max),
    number!(["proxy.maxVectorFieldNum"], "The most vector fields of a collection.", engine.vector_fields_max),
    number!(["proxy.maxShardNum"], "The most shards of a collection.", engine.shards_max),
    number!(["proxy.maxDimension"], "The most components of a float vector.", engine.dim_max),
    number!(["proxy.maxVarCharLength"], "The most bytes of a VARCHAR value.", engine.varchar_bytes_max),
    number!(["common.JSONMaxLength"], "The most bytes of a JSON value.", engine.json_bytes_max),
    number!(
        ["quotaAndLimits.limits.maxQueryResultWindow", "quotaAndLimits.limits.topK"],
        "The largest limit, and limit + offset.",
        engine.limit_max
    ),
    number!(["quotaAndLimits.limits.nq"], "The most query vectors of a search.", engine.queries_max),
    number!(["quotaAndLimits.limits.maxOutputSize"], "The most bytes of an answer.", engine.output_bytes_max),
];

fn size(text: &str) -> Option<u64> {
    let (digits, shift) = [("KiB", 10), ("MiB", 20), ("GiB", 30)]
        .into_iter()
        .find_map(|(unit, shift)| text.strip_suffix(unit).map(|digits| (digits, shift)))
        .unwrap_or((text, 0));
    digits.trim().parse::<u64>().ok()?.checked_mul(1 << shift)
}

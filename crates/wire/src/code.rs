//! Every error code of the contract, in one table, and the `Status` message that carries one.
//!
//! Invariant: numbers, texts and legacy codes exist in this file only.

use crate::proto::common::{ErrorCode, Status};

/// Whether trying the same again can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Retry {
    Later,
    Never,
}

/// Whose mistake it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Blame {
    Caller,
    Server,
}

/// What the table says of a code.
struct Row {
    code: Code,
    name: &'static str,
    text: &'static str,
    retry: Retry,
    blame: Blame,
    legacy: ErrorCode,
}

macro_rules! codes {
    ($($name:ident = $number:literal, $text:literal, $retry:ident, $blame:ident, $legacy:ident;)*) => {
        /// An error code of the contract, by the name Milvus gives it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(i32)]
        pub enum Code {
            $(#[doc = $text] $name = $number,)*
        }

        const TABLE: &[Row] = &[
            $(Row {
                code: Code::$name,
                name: stringify!($name),
                text: $text,
                retry: Retry::$retry,
                blame: Blame::$blame,
                legacy: ErrorCode::$legacy,
            },)*
        ];
    };
}

codes! {
    ServiceNotReady = 1, "service not ready", Later, Server, NotReadyServe;
    ServiceUnavailable = 2, "service unavailable", Later, Server, UnexpectedError;
    ServiceMemoryLimitExceeded = 3, "memory limit exceeded", Never, Server, InsufficientMemoryToLoad;
    ServiceTooManyRequests = 4, "too many concurrent requests, queue is full", Later, Server, UnexpectedError;
    ServiceInternal = 5, "service internal error", Never, Server, UnexpectedError;
    ServiceCrossClusterRouting = 6, "cross cluster routing", Never, Server, UnexpectedError;
    ServiceDiskLimitExceeded = 7, "disk limit exceeded", Never, Server, DiskQuotaExhausted;
    ServiceRateLimit = 8, "rate limit exceeded", Later, Server, RateLimit;
    ServiceQuotaExceeded = 9, "quota exceeded", Never, Server, ForceDeny;
    ServiceUnimplemented = 10, "service unimplemented", Never, Server, UnexpectedError;
    ServiceTimeTickLongDelay = 11, "time tick long delay", Never, Server, TimeTickLongDelay;
    ServiceResourceInsufficient = 12, "service resource insufficient", Later, Server, UnexpectedError;
    CollectionNotFound = 100, "collection not found", Never, Server, CollectionNotExists;
    CollectionNotLoaded = 101, "collection not loaded", Never, Server, UnexpectedError;
    CollectionNumLimitExceeded = 102, "exceeded the limit number of collections", Never, Caller, UnexpectedError;
    CollectionNotFullyLoaded = 103, "collection not fully loaded", Later, Server, UnexpectedError;
    CollectionLoaded = 104, "collection already loaded", Never, Caller, UnexpectedError;
    CollectionIllegalSchema = 105, "illegal collection schema", Never, Caller, UnexpectedError;
    CollectionOnRecovering = 106, "collection on recovering", Later, Server, UnexpectedError;
    CollectionVectorClusteringKeyNotAllowed = 107, "vector clustering key not allowed", Never, Caller, UnexpectedError;
    CollectionReplicateMode = 108, "can't operate on the collection under standby mode", Never, Caller, UnexpectedError;
    CollectionSchemaMismatch = 109, "collection schema mismatch", Never, Caller, SchemaMismatch;
    CollectionSchemaVersionNotReady = 110, "collection schema version not ready", Later, Server, NotReadyServe;
    PartitionNotFound = 200, "partition not found", Never, Server, MetaFailed;
    PartitionNotLoaded = 201, "partition not loaded", Never, Server, UnexpectedError;
    PartitionNotFullyLoaded = 202, "partition not fully loaded", Later, Server, UnexpectedError;
    GeneralCapacityExceeded = 250, "general capacity exceeded", Never, Server, UnexpectedError;
    ResourceGroupNotFound = 300, "resource group not found", Never, Caller, UnexpectedError;
    ResourceGroupAlreadyExist = 301, "resource group already exist, but create with different config", Never, Caller, UnexpectedError;
    ResourceGroupReachLimit = 302, "resource group num reach limit", Never, Caller, UnexpectedError;
    ResourceGroupIllegalConfig = 303, "resource group illegal config", Never, Caller, UnexpectedError;
    ResourceGroupNodeNotEnough = 304, "resource group node not enough", Never, Server, UnexpectedError;
    ResourceGroupServiceUnavailable = 305, "resource group service unavailable", Later, Server, UnexpectedError;
    ReplicaNotFound = 400, "replica not found", Never, Server, MetaFailed;
    ReplicaNotAvailable = 401, "replica not available", Never, Server, NoReplicaAvailable;
    ChannelNotFound = 500, "channel not found", Never, Server, UnexpectedError;
    ChannelLack = 501, "channel lacks", Never, Server, MetaFailed;
    ChannelReduplicate = 502, "channel reduplicates", Never, Server, UnexpectedError;
    ChannelNotAvailable = 503, "channel not available", Never, Server, NoReplicaAvailable;
    ChannelCPExceededMaxLag = 504, "channel checkpoint exceed max lag", Never, Server, UnexpectedError;
    ChannelTSafeStalled = 505, "channel tsafe stalled", Later, Server, TimeTickLongDelay;
    ChannelDroppedSentinel = 506, "channel checkpoint is dropped sentinel", Never, Server, NoReplicaAvailable;
    ChannelMisrouted = 507, "channel misrouted: not owned by this node", Later, Server, UnexpectedError;
    SegmentNotFound = 600, "segment not found", Never, Server, SegmentNotFound;
    SegmentNotLoaded = 601, "segment not loaded", Never, Server, UnexpectedError;
    SegmentLack = 602, "segment lacks", Never, Server, UnexpectedError;
    SegmentReduplicate = 603, "segment reduplicates", Never, Server, UnexpectedError;
    SegmentLoadFailed = 604, "segment load failed", Never, Server, UnexpectedError;
    SegmentRequestResourceFailed = 605, "segment request resource failed", Never, Server, UnexpectedError;
    IndexNotFound = 700, "index not found", Never, Server, IndexNotExist;
    IndexNotSupported = 701, "index type not supported", Never, Server, UnexpectedError;
    IndexDuplicate = 702, "index duplicates", Never, Caller, UnexpectedError;
    TaskDuplicate = 703, "task duplicates", Never, Server, UnexpectedError;
    DatabaseNotFound = 800, "database not found", Never, Server, UnexpectedError;
    DatabaseNumLimitExceeded = 801, "exceeded the limit number of database", Never, Caller, UnexpectedError;
    DatabaseInvalidName = 802, "invalid database name", Never, Caller, UnexpectedError;
    NodeNotFound = 901, "node not found", Never, Server, UnexpectedError;
    NodeOffline = 902, "node offline", Never, Server, UnexpectedError;
    NodeLack = 903, "node lacks", Never, Server, UnexpectedError;
    NodeNotMatch = 904, "node not match", Never, Server, NodeIdNotMatch;
    NodeNotAvailable = 905, "node not available", Never, Server, NoReplicaAvailable;
    NodeStateUnexpected = 906, "node state unexpected", Never, Server, UnexpectedError;
    IoKeyNotFound = 1000, "key not found", Never, Server, UnexpectedError;
    IoFailed = 1001, "IO failed", Never, Server, UnexpectedError;
    IoUnexpectEOF = 1002, "unexpected EOF", Later, Server, UnexpectedError;
    IoTooManyRequests = 1003, "too many requests", Later, Server, UnexpectedError;
    SerializationFailed = 1004, "data serialization or deserialization failed", Never, Server, UnexpectedError;
    IoPermissionDenied = 1005, "permission denied", Never, Server, UnexpectedError;
    IoBucketNotFound = 1006, "bucket not found", Never, Server, UnexpectedError;
    IoInvalidCredentials = 1007, "invalid credentials", Never, Server, UnexpectedError;
    Storage = 1008, "storage internal error", Never, Server, UnexpectedError;
    DataIntegrity = 1009, "data integrity check failed", Never, Server, UnexpectedError;
    IoInvalidArgument = 1010, "invalid argument", Never, Server, UnexpectedError;
    IoInvalidRange = 1011, "invalid range", Never, Server, UnexpectedError;
    IoEntityTooLarge = 1012, "entity too large", Never, Server, UnexpectedError;
    ParameterInvalid = 1100, "invalid parameter", Never, Caller, IllegalArgument;
    ParameterMissing = 1101, "missing parameter", Never, Caller, IllegalArgument;
    ParameterTooLarge = 1102, "parameter too large", Never, Caller, IllegalArgument;
    MetricNotFound = 1200, "metric not found", Never, Server, UnexpectedError;
    MqTopicNotFound = 1300, "topic not found", Never, Server, UnexpectedError;
    MqTopicNotEmpty = 1301, "topic not empty", Never, Server, UnexpectedError;
    MqInternal = 1302, "message queue internal error", Never, Server, UnexpectedError;
    DenyProduceMsg = 1303, "deny to write the message to mq", Never, Server, UnexpectedError;
    PrivilegeNotAuthenticated = 1400, "not authenticated", Never, Caller, UnexpectedError;
    PrivilegeNotPermitted = 1401, "privilege not permitted", Never, Caller, UnexpectedError;
    PrivilegeGroupInvalidName = 1402, "invalid privilege group name", Never, Caller, UnexpectedError;
    AliasNotFound = 1600, "alias not found", Never, Server, UnexpectedError;
    AliasCollectionNameConflict = 1601, "alias and collection name conflict", Never, Server, UnexpectedError;
    AliasAlreadyExist = 1602, "alias already exist", Never, Server, UnexpectedError;
    CollectionIDOfAliasNotFound = 1603, "collection id of alias not found", Never, Server, UnexpectedError;
    FieldNotFound = 1700, "field not found", Never, Server, UnexpectedError;
    FieldInvalidName = 1701, "field name invalid", Never, Server, UnexpectedError;
    NeedAuthenticate = 1800, "user hasn't authenticated", Never, Caller, UnexpectedError;
    IncorrectParameterFormat = 1801, "can only accept json format request", Never, Caller, UnexpectedError;
    MissingRequiredParameters = 1802, "missing required parameters", Never, Caller, UnexpectedError;
    MarshalCollectionSchema = 1803, "fail to marshal collection schema", Never, Server, UnexpectedError;
    InvalidInsertData = 1804, "fail to deal the insert data", Never, Caller, UnexpectedError;
    InvalidSearchResult = 1805, "fail to parse search result", Never, Server, UnexpectedError;
    CheckPrimaryKey = 1806, "please check the primary key and its' type can only in [int, string]", Never, Server, UnexpectedError;
    HTTPRateLimit = 1807, "request is rejected by limiter", Later, Server, UnexpectedError;
    DenyReplicateMessage = 1900, "deny to use the replicate message in the normal instance", Never, Server, UnexpectedError;
    InvalidMsgBytes = 1901, "invalid replicate msg bytes", Never, Server, UnexpectedError;
    NoAssignSegmentID = 1902, "no assign segment id", Never, Server, UnexpectedError;
    InvalidStreamObj = 1903, "invalid stream object", Never, Server, UnexpectedError;
    Segcore = 2000, "segcore error", Never, Server, UnexpectedError;
    SegcoreUnsupported = 2001, "segcore unsupported error", Never, Server, UnexpectedError;
    SegcorePretendFinished = 2002, "segcore pretend finished", Never, Server, UnexpectedError;
    SegcoreFollyOtherException = 2037, "segcore folly other exception", Never, Server, UnexpectedError;
    SegcoreFollyCancel = 2038, "segcore Future was canceled", Never, Server, UnexpectedError;
    SegcoreOutOfRange = 2039, "segcore out of range", Never, Server, UnexpectedError;
    SegcoreGCPNativeError = 2040, "segcore GCP native error", Never, Server, UnexpectedError;
    KnowhereError = 2099, "knowhere error", Never, Server, UnexpectedError;
    ImportFailed = 2100, "importing data failed", Never, Caller, UnexpectedError;
    ImportSysFailed = 2101, "importing data failed on server side", Never, Server, UnexpectedError;
    InconsistentRequery = 2200, "inconsistent requery result", Later, Server, UnexpectedError;
    QueryPlan = 2201, "query plan failed", Never, Caller, UnexpectedError;
    CompactionReadDeltaLogErr = 2300, "fail to read delta log", Never, Server, UnexpectedError;
    IllegalCompactionPlan = 2301, "compaction plan illegal", Never, Server, UnexpectedError;
    CompactionPlanConflict = 2302, "compaction plan conflict", Never, Server, UnexpectedError;
    ClusteringCompactionClusterNotSupport = 2303, "milvus cluster not support clustering compaction", Never, Server, UnexpectedError;
    ClusteringCompactionCollectionNotSupport = 2304, "collection not support clustering compaction", Never, Server, UnexpectedError;
    ClusteringCompactionCollectionIsCompacting = 2305, "collection is compacting", Never, Server, UnexpectedError;
    ClusteringCompactionNotSupportVector = 2306, "vector field clustering compaction is not supported", Never, Server, UnexpectedError;
    ClusteringCompactionSubmitTaskFail = 2307, "fail to submit task", Later, Server, UnexpectedError;
    ClusteringCompactionMetaError = 2308, "fail to update meta in clustering compaction", Later, Server, UnexpectedError;
    ClusteringCompactionGetCollectionFail = 2309, "fail to get collection in compaction", Later, Server, UnexpectedError;
    CompactionResultNotFound = 2310, "compaction result not found", Never, Server, UnexpectedError;
    AnalyzeTaskNotFound = 2311, "analyze task not found", Later, Server, UnexpectedError;
    BuildCompactionRequestFail = 2312, "fail to build CompactionRequest", Later, Server, UnexpectedError;
    GetCompactionPlanResultFail = 2313, "fail to get compaction plan", Later, Server, UnexpectedError;
    CompactionResult = 2314, "illegal compaction results", Never, Server, UnexpectedError;
    DuplicatedCompactionTask = 2315, "duplicated compaction task", Never, Server, UnexpectedError;
    CleanPartitionStatsFail = 2316, "fail to clean partition Stats", Later, Server, UnexpectedError;
    CompactionBlocked = 2317, "compaction blocked by snapshot protection", Later, Server, UnexpectedError;
    FunctionFailed = 2400, "function execution failed", Never, Server, UnexpectedError;
    DataNodeSlotExhausted = 2401, "datanode slot exhausted", Never, Server, UnexpectedError;
    KMSKeyRevoked = 2500, "KMS key has been revoked, access denied", Never, Server, UnexpectedError;
    SnapshotNotFound = 2600, "snapshot not found", Never, Server, UnexpectedError;
    SnapshotPinned = 2601, "snapshot is pinned", Never, Server, UnexpectedError;
    OperationNotSupported = 3000, "unsupported operation", Never, Server, UnexpectedError;
    OldSessionExists = 3001, "old session exists", Never, Server, UnexpectedError;
    Canceled = 10000, "context canceled", Never, Server, UnexpectedError;
    Timeout = 10001, "deadline exceeded", Never, Server, UnexpectedError;
    Unexpected = 65535, "unexpected error", Never, Server, UnexpectedError;
}

/// The key of `Status.extra_info` that says whose mistake it is.
const INPUT_ERROR_KEY: &str = "is_input_error";

impl Code {
    fn row(self) -> &'static Row {
        let found = TABLE.binary_search_by_key(&(self as i32), |row| row.code as i32);
        &TABLE[found.expect("the table is made from the same list as the enum, in the order of the numbers")]
    }

    /// The code with number `number`.
    pub fn from_number(number: i32) -> Option<Self> {
        let found = TABLE.binary_search_by_key(&number, |row| row.code as i32).ok()?;
        TABLE.get(found).map(|row| row.code)
    }

    /// All codes, by number.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|row| row.code)
    }

    /// The number in field `code`.
    pub fn number(self) -> i32 {
        self as i32
    }

    /// What Milvus calls it, without `Err`.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// The sentinel text that ends a reason.
    pub fn text(self) -> &'static str {
        self.row().text
    }

    /// Whether trying the same again can help.
    pub fn is_retriable(self) -> bool {
        self.row().retry == Retry::Later
    }

    /// Whether it is the caller's mistake.
    pub fn is_input_error(self) -> bool {
        self.row().blame == Blame::Caller
    }

    /// The number in field `error_code`, the only one that clients before 2.3 read.
    pub fn legacy(self) -> ErrorCode {
        self.row().legacy
    }

    /// The message that says so: `reason` outermost context first, sentinel text last.
    pub fn status(self, reason: impl Into<String>) -> Status {
        self.status_with(self.legacy(), reason)
    }

    /// The same with another legacy code, which a few calls have of their own.
    #[expect(deprecated, reason = "clients before 2.3 read only error_code")]
    pub fn status_with(self, legacy: ErrorCode, reason: impl Into<String>) -> Status {
        let reason = reason.into();
        let mut status = Status {
            error_code: legacy.into(),
            code: self.number(),
            retriable: self.is_retriable(),
            detail: reason.clone(),
            reason,
            ..Status::default()
        };
        if self.is_input_error() {
            status.extra_info.insert(INPUT_ERROR_KEY.to_owned(), "true".to_owned());
        }
        status
    }
}

/// The message that says that all went well.
pub fn success() -> Status {
    Status::default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_finds_itself() {
        assert!(TABLE.windows(2).all(|pair| (pair[0].code as i32) < (pair[1].code as i32)));
        for code in Code::all() {
            assert_eq!(Code::from_number(code.number()), Some(code));
            assert!(!code.text().is_empty());
        }
        assert_eq!(Code::from_number(0), None);
    }

    #[test]
    fn a_mistake_of_the_caller_is_never_retriable() {
        assert!(Code::all().all(|code| !(code.is_input_error() && code.is_retriable())));
    }

    #[test]
    #[expect(deprecated, reason = "clients before 2.3 read only error_code")]
    fn a_status_says_everything() {
        let status = Code::ParameterInvalid.status("dim: invalid parameter");
        assert_eq!((status.code, status.error_code, status.retriable), (1100, 5, false));
        assert_eq!(status.detail, status.reason);
        assert_eq!(status.extra_info.get("is_input_error").map(String::as_str), Some("true"));
        let status = Code::IndexNotFound.status("index not found[collection=c]");
        assert_eq!((status.code, status.error_code), (700, 25));
        assert!(status.extra_info.is_empty());
        assert_eq!(Code::CollectionSchemaMismatch.status("").error_code, 62);
        assert_eq!(success(), Status { error_code: 0, ..Status::default() });
    }
}

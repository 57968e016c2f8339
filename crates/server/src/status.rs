//! Errors on their way out. Invariant: this is the only place where an error of the engine gets its number.

use engine::ErrorKind;
use wire::Code;
use wire::proto::common::{ErrorCode, Status};

/// Why a request was refused, as the wire will say it.
#[derive(Debug, Clone)]
pub(crate) struct Fault {
    code: Code,
    legacy: ErrorCode,
    reason: String,
}

impl Fault {
    /// A fault with the legacy code that belongs to `code`.
    pub(crate) fn new(code: Code, reason: impl Into<String>) -> Self {
        Self { code, legacy: code.legacy(), reason: reason.into() }
    }

    /// A call, or a part of one, that this server does not do. `what` is a subject in the singular.
    pub(crate) fn unsupported(what: impl std::fmt::Display) -> Self {
        let text = Code::ServiceUnimplemented.text();
        Self::new(Code::ServiceUnimplemented, format!("{what} is not supported by this server: {text}"))
    }

    /// A parameter that is wrong.
    pub(crate) fn invalid(what: impl std::fmt::Display) -> Self {
        Self::new(Code::ParameterInvalid, format!("{what}: {}", Code::ParameterInvalid.text()))
    }

    /// The same fault with another legacy code and reason.
    pub(crate) fn retold(self, legacy: ErrorCode, reason: String) -> Self {
        Self { legacy, reason, ..self }
    }

    /// Which code it is.
    pub(crate) fn code(&self) -> Code {
        self.code
    }

    /// The message that says so.
    pub(crate) fn into_status(self) -> Status {
        self.code.status_with(self.legacy, self.reason)
    }
}

impl From<engine::Error> for Fault {
    fn from(error: engine::Error) -> Self {
        Self::new(code_of(error.kind()), error.to_string())
    }
}

impl From<wire::Error> for Fault {
    fn from(error: wire::Error) -> Self {
        Self::new(error.code(), error.to_string())
    }
}

fn code_of(kind: ErrorKind) -> Code {
    match kind {
        ErrorKind::NotReady => Code::ServiceNotReady,
        ErrorKind::MemoryLimit => Code::ServiceMemoryLimitExceeded,
        ErrorKind::DiskFull => Code::ServiceDiskLimitExceeded,
        ErrorKind::Internal => Code::ServiceInternal,
        ErrorKind::Unsupported => Code::ServiceUnimplemented,
        ErrorKind::CollectionNotFound => Code::CollectionNotFound,
        ErrorKind::CollectionNotLoaded => Code::CollectionNotLoaded,
        ErrorKind::CollectionLimit => Code::CollectionNumLimitExceeded,
        ErrorKind::CollectionLoaded => Code::CollectionLoaded,
        ErrorKind::ClusteringKey => Code::CollectionVectorClusteringKeyNotAllowed,
        ErrorKind::SchemaMismatch => Code::CollectionSchemaMismatch,
        ErrorKind::PartitionNotFound => Code::PartitionNotFound,
        ErrorKind::PartitionNotLoaded => Code::PartitionNotLoaded,
        ErrorKind::IndexNotFound => Code::IndexNotFound,
        ErrorKind::IndexAmbiguous => Code::IndexDuplicate,
        ErrorKind::Invalid => Code::ParameterInvalid,
        ErrorKind::DatabaseNotFound => Code::DatabaseNotFound,
        ErrorKind::DatabaseLimit => Code::DatabaseNumLimitExceeded,
        ErrorKind::DatabaseName => Code::DatabaseInvalidName,
        ErrorKind::Missing => Code::ParameterMissing,
        ErrorKind::TooLarge => Code::ParameterTooLarge,
        ErrorKind::AliasNotFound => Code::AliasNotFound,
        ErrorKind::AliasNameTaken => Code::AliasCollectionNameConflict,
        ErrorKind::AliasExists => Code::AliasAlreadyExist,
        ErrorKind::FieldNotFound => Code::FieldNotFound,
        ErrorKind::FieldName => Code::FieldInvalidName,
        // A number of its own exists from Milvus 3.0 on; the line served here knows one for every bad filter.
        ErrorKind::Plan => Code::ParameterInvalid,
        ErrorKind::Conflict => Code::Unexpected,
        ErrorKind::Io => Code::IoFailed,
        ErrorKind::Corrupt => Code::DataIntegrity,
        ErrorKind::Cancelled => Code::Canceled,
        ErrorKind::Timeout => Code::Timeout,
    }
}

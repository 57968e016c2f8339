//! The one error of the engine: a kind that tells the caller what to do, and a sentence that says what was wrong.

use std::fmt;

/// What went wrong, by what a caller can do about it. Wire numbers are not known here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The engine is still starting or already closing; try again.
    NotReady,
    /// A load or a build does not fit into the memory limit.
    MemoryLimit,
    /// The disk is full; nothing was lost, free space and try again.
    DiskFull,
    /// A defect of this program.
    Internal,
    /// The call exists in the contract, this engine does not do it.
    Unsupported,
    /// No such collection.
    CollectionNotFound,
    /// The collection must be loaded first.
    CollectionNotLoaded,
    /// No more collections can be made.
    CollectionLimit,
    /// The collection must be released first.
    CollectionLoaded,
    /// A vector cannot be what rows are put together by.
    ClusteringKey,
    /// Rows do not fit the schema as it is now; look it up again.
    SchemaMismatch,
    /// No such partition.
    PartitionNotFound,
    /// The partition must be loaded first.
    PartitionNotLoaded,
    /// No such index.
    IndexNotFound,
    /// More than one index fits the description.
    IndexAmbiguous,
    /// No such database.
    DatabaseNotFound,
    /// No more databases can be made.
    DatabaseLimit,
    /// Not a database name.
    DatabaseName,
    /// A parameter is wrong.
    Invalid,
    /// A parameter is missing.
    Missing,
    /// A parameter is too large.
    TooLarge,
    /// No such alias.
    AliasNotFound,
    /// An alias and a collection cannot have the same name.
    AliasNameTaken,
    /// The alias belongs to another collection.
    AliasExists,
    /// No such field.
    FieldNotFound,
    /// Not a field name.
    FieldName,
    /// The filter can be parsed but not planned.
    Plan,
    /// Something that exists was to be made again with other properties, or a like conflict without a number of its own.
    Conflict,
    /// The storage below failed.
    Io,
    /// Stored bytes are not what was written.
    Corrupt,
    /// The caller went away or asked to stop.
    Cancelled,
    /// It took longer than allowed.
    Timeout,
}

/// What went wrong.
#[derive(Debug, Clone)]
pub struct Error {
    kind: ErrorKind,
    message: String,
}

impl Error {
    /// An error of `kind`. `message` says what was wrong and what would be right.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// What a caller can do about it.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The same error, told in a wider context.
    pub fn context(mut self, context: &str) -> Self {
        self.message = format!("{context}: {}", self.message);
        self
    }

    pub(crate) fn invalid(message: impl fmt::Display) -> Self {
        Self::new(ErrorKind::Invalid, format!("{message}: invalid parameter"))
    }

    pub(crate) fn expected(
        message: impl fmt::Display,
        expected: impl fmt::Display,
        actual: impl fmt::Display,
    ) -> Self {
        let text = format!("{message}: invalid parameter[expected={expected}][actual={actual}]");
        Self::new(ErrorKind::Invalid, text)
    }

    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, message)
    }

    pub(crate) fn collection_not_found(database: &str, collection: &str) -> Self {
        let text = format!("collection not found[database={database}][collection={collection}]");
        Self::new(ErrorKind::CollectionNotFound, text)
    }

    pub(crate) fn collection_not_loaded(collection: &str) -> Self {
        let text = format!("collection not loaded[collection={collection}]");
        Self::new(ErrorKind::CollectionNotLoaded, text)
    }

    pub(crate) fn partition_not_found(partition: &str) -> Self {
        Self::new(ErrorKind::PartitionNotFound, format!("partition not found[partition={partition}]"))
    }

    pub(crate) fn database_not_found(database: &str) -> Self {
        Self::new(ErrorKind::DatabaseNotFound, format!("database not found[database={database}]"))
    }

    pub(crate) fn field_not_found(field: &str) -> Self {
        Self::new(ErrorKind::FieldNotFound, format!("field not found[field={field}]"))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

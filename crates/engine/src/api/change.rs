//! Edits of the catalogue. Every one is durable when [`Engine::change`](crate::Engine::change) returns.

use super::Target;
use data::{Consistency, Field, FieldId, Schema, Struct, Timestamp};

/// Keys and values as users set them, in their order.
pub type Properties = Vec<(String, String)>;

/// What to edit.
#[derive(Debug, Clone)]
pub enum Change {
    /// A new database.
    CreateDatabase {
        /// Its name.
        name: String,
        /// Its properties.
        properties: Properties,
    },
    /// Removes an empty database.
    DropDatabase {
        /// Its name.
        name: String,
    },
    /// Sets and deletes properties of a database.
    AlterDatabase {
        /// Its name.
        name: String,
        /// Properties to set.
        set: Properties,
        /// Keys to delete.
        delete: Vec<String>,
    },
    /// A new collection; the same again is no error.
    CreateCollection(CreateCollection),
    /// Removes a collection with all its rows; a missing one is no error.
    DropCollection(Target),
    /// Gives a collection another name, perhaps in another database.
    RenameCollection {
        /// Which one.
        from: Target,
        /// Its new place and name.
        to: Target,
    },
    /// Sets and deletes properties of a collection.
    AlterCollection {
        /// Which one.
        target: Target,
        /// Properties to set.
        set: Properties,
        /// Keys to delete.
        delete: Vec<String>,
    },
    /// Sets and deletes parameters of a field (`max_length`, `mmap.enabled` ...).
    AlterField {
        /// Which collection.
        target: Target,
        /// Which field.
        field: String,
        /// Parameters to set.
        set: Properties,
        /// Keys to delete.
        delete: Vec<String>,
    },
    /// A new field of a collection that may hold rows already: they have its default, or nothing.
    AddField {
        /// Which collection.
        target: Target,
        /// The field, nullable; its id is given by the catalogue.
        field: Box<Field>,
    },
    /// A new array of structs of a collection that may hold rows already: they have none.
    AddStruct {
        /// Which collection.
        target: Target,
        /// The array, nullable; its id is given by the catalogue.
        structure: Struct,
        /// Its sub-fields, called `struct[sub]`.
        fields: Vec<Field>,
    },
    /// Removes a field, or an array of structs, with the indexes on it. What rows hold of it is gone.
    DropField {
        /// Which collection.
        target: Target,
        /// Which one.
        field: FieldName,
    },
    /// A new partition; an existing one is no error.
    CreatePartition {
        /// Of which collection.
        target: Target,
        /// Its name.
        partition: String,
    },
    /// Removes a partition with its rows; a missing one is no error.
    DropPartition {
        /// Of which collection.
        target: Target,
        /// Its name.
        partition: String,
    },
    /// A second name for a collection.
    CreateAlias {
        /// Which collection.
        target: Target,
        /// The second name.
        alias: String,
    },
    /// Points an alias to another collection; a missing alias is made.
    AlterAlias {
        /// Which collection.
        target: Target,
        /// The second name.
        alias: String,
    },
    /// Removes an alias.
    DropAlias {
        /// In which database.
        database: String,
        /// The second name.
        alias: String,
    },
    /// An index on a field. Returns when the intent is durable; building goes on in the background.
    CreateIndex(CreateIndex),
    /// Sets and deletes parameters of an index, live.
    AlterIndex {
        /// Which collection.
        target: Target,
        /// Which index.
        index: String,
        /// Parameters to set.
        set: Properties,
        /// Keys to delete.
        delete: Vec<String>,
    },
    /// Removes an index and its files; a missing one is no error.
    DropIndex {
        /// Which collection.
        target: Target,
        /// The index's name, or empty to name it by its field.
        index: String,
        /// The field, or empty.
        field: String,
    },
}

/// How a field is named.
#[derive(Debug, Clone)]
pub enum FieldName {
    /// By its name.
    Name(String),
    /// By its number.
    Id(FieldId),
}

/// A new collection.
#[derive(Debug, Clone)]
pub struct CreateCollection {
    /// Where, and called what.
    pub target: Target,
    /// Its fields; ids are given by the catalogue.
    pub schema: Schema,
    /// How many shards the user asked for; 0 = 1.
    pub shards: u32,
    /// The level of reads that name none.
    pub consistency: Consistency,
    /// Its properties.
    pub properties: Properties,
    /// Partitions to make for a partition key; 0 = 16.
    pub partitions: u32,
}

/// A new index.
#[derive(Debug, Clone)]
pub struct CreateIndex {
    /// On which collection.
    pub target: Target,
    /// On which field.
    pub field: String,
    /// Its name; empty = the field's name.
    pub name: String,
    /// `index_type`, `metric_type` and the rest, flat.
    pub params: Properties,
    /// The same as the user wrote it, given back by describe; empty = like `params`.
    pub echo: Properties,
}

/// What a change did.
#[derive(Debug, Clone)]
pub struct Changed {
    /// When, in the order of writes.
    pub timestamp: Timestamp,
}

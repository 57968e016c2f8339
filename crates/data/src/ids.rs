//! Numbers that name things. Each is a type of its own, so one cannot stand where another is meant.

use serde::{Deserialize, Serialize};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id!(
    /// A collection, for its whole life and through renames.
    CollectionId
);
id!(
    /// A partition of a collection.
    PartitionId
);
id!(
    /// A field of one collection's schema. User fields start at 100.
    FieldId
);
id!(
    /// An index on a field.
    IndexId
);
id!(
    /// A segment: a unit of rows.
    SegmentId
);

impl FieldId {
    /// The id of the first field a user declares.
    pub const FIRST: Self = Self(100);
}

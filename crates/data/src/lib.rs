//! What a row is: its types, its schema, its columns and keys, and the time at which it was written.
//!
//! A [`Schema`] is a list of [`Field`]s. A [`Batch`] holds rows as one [`Column`] per field; the buffers inside are
//! Arrow's, so a column may borrow from a received message or from a mapped file without a copy. Every write carries
//! a [`Timestamp`], and a reader that looks at time `t` sees exactly the writes stamped `<= t`.

mod batch;
mod buffers;
mod builder;
mod column;
mod ids;
mod key;
mod name;
mod schema;
mod shape;
mod time;
mod types;
mod value;
mod values;
mod zone;

pub use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer, ScalarBuffer};
pub use batch::Batch;
pub use buffers::{Buffers, BuffersError};
pub use builder::ColumnBuilder;
pub use column::{Column, ColumnError};
pub use ids::{CollectionId, FieldId, IndexId, PartitionId, SegmentId};
pub use key::{Key, KeyRef, Keys};
pub use name::{Name, NameError, NameKind};
pub use schema::{Field, Schema, Struct};
pub use shape::{Position, Shape, ShapeError};
pub use time::{Consistency, Timestamp};
pub use types::{Kind, Type};
pub use value::Value;
pub use values::{Lists, Values, VarLen};
pub use zone::{Zone, ZoneError};

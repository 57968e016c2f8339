//! Why a message cannot be taken as it is. Every variant says what was wrong and what would be right.

use crate::Code;
use data::ColumnError;

/// Why a message cannot be taken as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Bytes inside of a request are no message of the contract.
    #[error("{what} cannot be decoded: {why}: invalid parameter")]
    Undecodable {
        /// Which message.
        what: &'static str,
        /// What the decoder said.
        why: String,
    },
    /// A field has a type this server does not know.
    #[error("field {field} has type {kind}, which is not supported yet: invalid parameter")]
    Type {
        /// Which field.
        field: String,
        /// The type's name in the contract.
        kind: String,
    },
    /// Something in a schema that this server does not do.
    #[error("{what} are not supported yet: invalid parameter")]
    Unsupported {
        /// What, in the plural.
        what: &'static str,
    },
    /// A field's values are not of the type it claims.
    #[error(
        "field {field} says it is {kind}, but its values are not: invalid parameter[expected={kind}][actual={actual}]"
    )]
    Payload {
        /// Which field.
        field: String,
        /// What it claims to be.
        kind: &'static str,
        /// What the values are.
        actual: &'static str,
    },
    /// A field has more or fewer values than the request has rows.
    #[error(
        "the num_rows ({actual}) of field ({field}) is not equal to passed num_rows ({expected}): \
         invalid parameter[expected={expected}][actual={actual}]"
    )]
    Rows {
        /// Which field.
        field: String,
        /// Rows of the request.
        expected: usize,
        /// Values of the field.
        actual: usize,
    },
    /// A whole number does not fit the type of its field.
    #[error(
        "value {value} of field {field} does not fit {kind}: invalid parameter[expected={low} <= value <= {high}][actual={value}]"
    )]
    Range {
        /// Which field.
        field: String,
        /// Its type.
        kind: &'static str,
        /// The number.
        value: i64,
        /// The smallest allowed.
        low: i64,
        /// The largest allowed.
        high: i64,
    },
    /// A dimension is missing, no number, or does not fit the values.
    #[error("invalid dimension: {dim} of field {field}: {why}: invalid parameter")]
    Dim {
        /// Which field.
        field: String,
        /// The dimension as sent.
        dim: String,
        /// What would be right.
        why: &'static str,
    },
    /// The queries of a search do not fit together.
    #[error("{why}: invalid parameter")]
    Queries {
        /// What is wrong.
        why: String,
    },
    /// A parameter cannot be read.
    #[error("invalid value {value} of parameter {key}: {why}: invalid parameter")]
    Param {
        /// Its key.
        key: String,
        /// Its value.
        value: String,
        /// What would be right.
        why: String,
    },
    /// A parameter was given twice.
    #[error("duplicated param (key={key}) (value={value}) found: invalid parameter")]
    Duplicate {
        /// Its key.
        key: String,
        /// The second value.
        value: String,
    },
    /// A parameter is missing.
    #[error("{what}: missing parameter[missing_param={param}]")]
    Missing {
        /// Of what, for people.
        what: String,
        /// Its key.
        param: &'static str,
    },
    /// Values of a field make no column.
    #[error("field {field}: {why}: invalid parameter")]
    Column {
        /// Which field.
        field: String,
        /// Why not.
        why: ColumnError,
    },
}

impl Error {
    /// The code that says so on the wire.
    pub fn code(&self) -> Code {
        match self {
            Self::Missing { .. } => Code::ParameterMissing,
            Self::Undecodable { .. }
            | Self::Type { .. }
            | Self::Unsupported { .. }
            | Self::Payload { .. }
            | Self::Rows { .. }
            | Self::Range { .. }
            | Self::Dim { .. }
            | Self::Queries { .. }
            | Self::Param { .. }
            | Self::Duplicate { .. }
            | Self::Column { .. } => Code::ParameterInvalid,
        }
    }
}

/// Decodes `bytes` as the message called `what`.
pub(crate) fn decode<M: prost::Message + Default>(
    what: &'static str,
    bytes: impl bytes::Buf,
) -> Result<M, Error> {
    M::decode(bytes).map_err(|why| Error::Undecodable { what, why: why.to_string() })
}

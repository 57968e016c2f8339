//! What the rows of a collection look like. A schema in the catalogue has been checked and its fields have ids.

use crate::{FieldId, Kind, Type, Value};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The name of the field that holds what the schema does not name.
pub(crate) const DYNAMIC_FIELD: &str = "$meta";

/// One field of a collection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Field {
    /// The number that data files know it by. Zero until the catalogue gives it one.
    pub id: FieldId,
    /// What users call it.
    pub name: String,
    /// Free text.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// The type of its values.
    #[serde(rename = "type")]
    pub data_type: Type,
    /// Vectors: components (floats or bits) a value. Zero for other types.
    #[serde(default)]
    pub dim: usize,
    /// VARCHAR, and arrays of it: the most bytes a value may have. Zero for other types.
    #[serde(default)]
    pub max_length: usize,
    /// ARRAY: the type of an element; in a struct it may be a vector, of `dim` components.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub element: Option<Type>,
    /// ARRAY: the most elements a value may have. Zero for other types.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub max_capacity: usize,
    /// Whether it identifies the row.
    #[serde(default)]
    pub is_primary: bool,
    /// Whether the system makes the values (primary keys only).
    #[serde(default)]
    pub auto_id: bool,
    /// Whether a value may be absent.
    #[serde(default)]
    pub nullable: bool,
    /// What an absent value becomes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
    /// Whether it holds what the schema does not name (`$meta`).
    #[serde(default)]
    pub is_dynamic: bool,
    /// Whether its value chooses the partition.
    #[serde(default)]
    pub is_partition_key: bool,
    /// Whether rows are to be stored near others of like value.
    #[serde(default)]
    pub is_clustering_key: bool,
    /// Settings of this field as the user gave them, echoed by describe (`mmap.enabled` and the like).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<String, String>,
}

impl Field {
    /// A required field called `name`, with every option off.
    pub fn new(name: &str, data_type: Type) -> Self {
        Self {
            id: FieldId(0),
            name: name.to_owned(),
            description: String::new(),
            data_type,
            dim: 0,
            max_length: 0,
            element: None,
            max_capacity: 0,
            is_primary: false,
            auto_id: false,
            nullable: false,
            default: None,
            is_dynamic: false,
            is_partition_key: false,
            is_clustering_key: false,
            params: BTreeMap::new(),
        }
    }

    /// The field that holds what the schema does not name.
    pub fn dynamic() -> Self {
        Self { is_dynamic: true, ..Self::new(DYNAMIC_FIELD, Type::Json) }
    }

    /// The same as primary key.
    pub fn primary(mut self) -> Self {
        self.is_primary = true;
        self
    }

    /// The same with `dim` components a vector.
    pub fn with_dim(mut self, dim: usize) -> Self {
        self.dim = dim;
        self
    }

    /// The same with at most `max_length` bytes a value.
    pub fn with_max_length(mut self, max_length: usize) -> Self {
        self.max_length = max_length;
        self
    }

    /// The same as an array of at most `max_capacity` elements.
    pub fn with_elements(mut self, element: Type, max_capacity: usize) -> Self {
        (self.element, self.max_capacity) = (Some(element), max_capacity);
        self
    }

    /// What its columns are.
    pub fn kind(&self) -> Kind {
        match self.element {
            Some(element) if self.data_type == Type::Array => Kind::array(element, self.dim),
            _ => Kind::new(self.data_type, self.dim),
        }
    }

    /// Bytes a vector of this field has in memory; zero for other types and for sparse vectors.
    pub fn vector_bytes(&self) -> usize {
        self.data_type.vector_bytes(self.dim)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_zero(n: &usize) -> bool {
    *n == 0
}

/// A field that holds up to `max_capacity` structs a row. Its sub-fields stand among [`Schema::fields`] as arrays called
/// `struct[sub]`; in every row they all have the same number of elements.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Struct {
    /// The number it has in the schema. Zero until the catalogue gives it one.
    pub id: FieldId,
    /// What users call it.
    pub name: String,
    /// Free text.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// The most structs a row may have.
    pub max_capacity: usize,
    /// Whether a row may be without.
    #[serde(default)]
    pub nullable: bool,
    /// Its sub-fields, in the user's order.
    pub fields: Vec<FieldId>,
    /// Settings as the user gave them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<String, String>,
}

impl Struct {
    /// What sub-field `sub` of struct `name` is called among the fields of the schema.
    pub fn field_name(name: &str, sub: &str) -> String {
        format!("{name}[{sub}]")
    }

    /// The name a user gave the sub-field that is called `field` in the schema.
    pub fn sub_name<'f>(&self, field: &'f str) -> Option<&'f str> {
        field.strip_prefix(self.name.as_str())?.strip_prefix('[')?.strip_suffix(']')
    }
}

/// The fields of a collection, in the user's order; the dynamic field, when there is one, is last.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Schema {
    /// Free text.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// The fields.
    pub fields: Vec<Field>,
    /// Arrays of structs, whose sub-fields are among the fields.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub structs: Vec<Struct>,
}

impl Schema {
    /// The field called `name`.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// The field with number `id`.
    pub fn field_by_id(&self, id: FieldId) -> Option<&Field> {
        self.fields.iter().find(|field| field.id == id)
    }

    /// The position of field `id` in [`Schema::fields`].
    pub fn position(&self, id: FieldId) -> Option<usize> {
        self.fields.iter().position(|field| field.id == id)
    }

    /// The field that identifies rows; a checked schema has exactly one.
    pub fn primary(&self) -> Option<&Field> {
        self.fields.iter().find(|field| field.is_primary)
    }

    /// The field that holds what the schema does not name.
    pub fn dynamic(&self) -> Option<&Field> {
        self.fields.iter().find(|field| field.is_dynamic)
    }

    /// The array of structs called `name`.
    pub fn structure(&self, name: &str) -> Option<&Struct> {
        self.structs.iter().find(|one| one.name == name)
    }

    /// The array of structs that field `id` is a part of.
    pub fn structure_of(&self, id: FieldId) -> Option<&Struct> {
        self.structs.iter().find(|one| one.fields.contains(&id))
    }

    /// The vector fields.
    pub fn vectors(&self) -> impl Iterator<Item = &Field> {
        self.fields.iter().filter(|field| field.data_type.is_vector())
    }
}

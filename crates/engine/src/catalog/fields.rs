//! Edits of the fields of a living collection. Only the schema changes: files keep what they have, and rows that came
//! before a field hold its default, or nothing. Invariant: the number of a field is never given twice.

use super::{Catalog, Collection, check};
use crate::api::{FieldName, Properties, Target};
use crate::{Error, Settings};
use data::{Field, FieldId, Schema, Struct, Timestamp, Type};
use std::sync::Arc;

/// The property that says whether there is a field for what the schema does not name.
const DYNAMIC: &str = "dynamicfield.enabled";

impl Collection {
    /// The schema, to be changed.
    fn edit_schema(&mut self, now: Timestamp) -> &mut Schema {
        self.schema_version += 1;
        self.updated_at = now;
        Arc::make_mut(&mut self.schema)
    }

    /// A number that no field has had.
    fn next_field(&mut self) -> FieldId {
        let fields = self.schema.fields.iter().map(|field| field.id.0);
        let structs = self.schema.structs.iter().map(|one| one.id.0);
        self.last_field = fields.chain(structs).max().unwrap_or(0).max(self.last_field) + 1;
        FieldId(self.last_field)
    }

    /// Puts `fields` behind the others, but before the dynamic field.
    fn push_fields(&mut self, fields: Vec<Field>, now: Timestamp) {
        let schema = self.edit_schema(now);
        let place = schema.fields.iter().position(|field| field.is_dynamic).unwrap_or(schema.fields.len());
        schema.fields.splice(place..place, fields);
    }

    fn check_new_names(&self, names: &[&str], limits: &Settings) -> Result<(), Error> {
        let schema = &self.schema;
        if schema.fields.len() + names.len() > limits.fields_max {
            let max = limits.fields_max;
            return Err(Error::invalid(format!("maximum field's number should be limited to {max}")));
        }
        let taken = |name: &str| schema.field(name).is_some() || schema.structure(name).is_some();
        match names.iter().find(|name| taken(name)) {
            Some(name) => Err(Error::invalid(format!("duplicate field name: {name}"))),
            None => Ok(()),
        }
    }

    fn check_vectors(&self, more: usize, limits: &Settings) -> Result<(), Error> {
        let max = limits.vector_fields_max;
        if vectors(&self.schema.fields) + more > max {
            return Err(Error::invalid(format!("maximum vector field's number should be limited to {max}")));
        }
        Ok(())
    }
}

fn vectors<'a>(fields: impl IntoIterator<Item = &'a Field>) -> usize {
    fields.into_iter().filter(|field| field.element.unwrap_or(field.data_type).is_vector()).count()
}

impl Catalog {
    pub(super) fn add_field(
        &mut self,
        target: &Target,
        mut field: Field,
        now: Timestamp,
        limits: &Settings,
    ) -> Result<(), Error> {
        let zone = self.zone(self.collection(target)?);
        let collection = self.target_mut(target)?;
        collection.check_new_names(&[&field.name], limits)?;
        check::read_default(&mut field, &zone)?;
        check::field(&field, None, limits)?;
        let name = &field.name;
        if field.is_primary || field.is_partition_key || field.is_clustering_key || field.is_dynamic {
            let text = format!("a key or dynamic field cannot be added to a collection, field name = {name}");
            return Err(Error::invalid(text));
        }
        if !field.nullable {
            return Err(Error::invalid(format!(
                "added field must be nullable, please check it, field name = {name}"
            )));
        }
        collection.check_vectors(vectors([&field]), limits)?;
        field.id = collection.next_field();
        collection.push_fields(vec![field], now);
        Ok(())
    }

    pub(super) fn add_struct(
        &mut self,
        target: &Target,
        mut one: Struct,
        mut fields: Vec<Field>,
        now: Timestamp,
        limits: &Settings,
    ) -> Result<(), Error> {
        let collection = self.target_mut(target)?;
        let names: Vec<&str> =
            fields.iter().map(|field| field.name.as_str()).chain([one.name.as_str()]).collect();
        collection.check_new_names(&names, limits)?;
        check::structure(&one, &fields)?;
        fields.iter().try_for_each(|field| check::field(field, Some(&one), limits))?;
        if !one.nullable || fields.iter().any(|field| !field.nullable) {
            let name = &one.name;
            return Err(Error::invalid(format!(
                "added field must be nullable, please check it, field name = {name}"
            )));
        }
        collection.check_vectors(vectors(&fields), limits)?;
        fields.iter_mut().for_each(|field| field.id = collection.next_field());
        one.id = collection.next_field();
        one.fields = check::sub_fields(&one, &fields);
        collection.push_fields(fields, now);
        collection.edit_schema(now).structs.push(one);
        Ok(())
    }

    pub(super) fn drop_field(
        &mut self,
        target: &Target,
        name: &FieldName,
        now: Timestamp,
    ) -> Result<(), Error> {
        let collection = self.target_mut(target)?;
        let schema = &collection.schema;
        let (field, one) = match name {
            FieldName::Name(name) => (schema.field(name), schema.structure(name)),
            FieldName::Id(id) => (schema.field_by_id(*id), schema.structs.iter().find(|one| one.id == *id)),
        };
        let gone: Vec<FieldId> = match (field, one) {
            (Some(field), _) => {
                may_go(schema, field)?;
                vec![field.id]
            }
            (None, Some(one)) => one.fields.clone(),
            (None, None) => {
                return Err(Error::field_not_found(&match name {
                    FieldName::Name(name) => name.clone(),
                    FieldName::Id(id) => id.to_string(),
                }));
            }
        };
        if vectors(schema.fields.iter().filter(|field| !gone.contains(&field.id))) == 0 {
            return Err(Error::invalid(
                "schema does not contain vector field: the last one cannot be dropped",
            ));
        }
        let gone_struct = one.map(|one| one.id);
        // Remember the numbers that go, so that no later field gets one.
        collection.last_field = collection.next_field().0 - 1;
        let of_gone: Vec<_> = collection
            .indexes
            .iter()
            .filter(|index| gone.contains(&index.field))
            .map(|index| index.id)
            .collect();
        collection.indexes.retain(|index| !gone.contains(&index.field));
        for segment in &mut collection.segments {
            segment.indexes.retain(|entry| !of_gone.contains(&entry.index));
        }
        let schema = collection.edit_schema(now);
        schema.fields.retain(|field| !gone.contains(&field.id));
        schema.structs.retain(|one| Some(one.id) != gone_struct);
        Ok(())
    }

    pub(super) fn alter_field(
        &mut self,
        target: &Target,
        name: &str,
        set: Properties,
        delete: &[String],
        now: Timestamp,
        limits: &Settings,
    ) -> Result<(), Error> {
        let collection = self.target_mut(target)?;
        let parts = collection.schema.structure(name).map(|one| one.fields.clone());
        let schema = collection.edit_schema(now);
        if let Some(parts) = parts {
            return alter_struct(schema, name, &parts, set, delete);
        }
        let in_struct = schema.field(name).and_then(|field| schema.structure_of(field.id)).is_some();
        let field = schema.fields.iter_mut().find(|field| field.name == name);
        let field = field.ok_or_else(|| Error::field_not_found(name))?;
        for (key, value) in set {
            match key.as_str() {
                "max_length" => field.max_length = new_length(field, &value, limits)?,
                "max_capacity" if in_struct => {
                    let text = format!("max_capacity of {name} is that of its struct, alter it there");
                    return Err(Error::invalid(text));
                }
                "max_capacity" => field.max_capacity = new_capacity(field, &value)?,
                "description" | "field.description" => field.description = value,
                _ => {
                    field.params.insert(key, value);
                }
            }
        }
        for key in delete {
            field.params.remove(key);
        }
        Ok(())
    }

    /// What a change of a collection's properties means for its schema.
    pub(super) fn alter_dynamic(
        &mut self,
        target: &Target,
        set: &Properties,
        now: Timestamp,
    ) -> Result<(), Error> {
        let Some((_, value)) = set.iter().find(|(key, _)| key == DYNAMIC) else { return Ok(()) };
        let wanted = match value.to_ascii_lowercase().as_str() {
            "true" => true,
            "false" => false,
            _ => return Err(Error::invalid(format!("{DYNAMIC} should be true or false, got {value}"))),
        };
        let collection = self.target_mut(target)?;
        let exists = collection.schema.dynamic().is_some();
        if exists && !wanted {
            return Err(Error::invalid("dynamic schema cannot supported to be disabled"));
        }
        if wanted && !exists {
            let empty = Some(data::Value::Json("{}".to_owned()));
            let field = Field { id: collection.next_field(), default: empty, ..Field::dynamic() };
            collection.edit_schema(now).fields.push(field);
        }
        Ok(())
    }
}

/// Whether a field that stands alone may be dropped.
fn may_go(schema: &Schema, field: &Field) -> Result<(), Error> {
    let name = &field.name;
    let what = if field.is_primary {
        "primary key"
    } else if field.is_partition_key {
        "partition key"
    } else if field.is_clustering_key {
        "clustering key"
    } else if field.is_dynamic {
        "dynamic"
    } else if let Some(one) = schema.structure_of(field.id) {
        let text = format!("sub-field {name} cannot be dropped alone, drop its struct {}", one.name);
        return Err(Error::invalid(text));
    } else {
        return Ok(());
    };
    Err(Error::invalid(format!("{what} field cannot be dropped, field name = {name}")))
}

fn alter_struct(
    schema: &mut Schema,
    name: &str,
    parts: &[FieldId],
    set: Properties,
    delete: &[String],
) -> Result<(), Error> {
    for (key, value) in set {
        if key == "max_capacity" {
            for field in schema.fields.iter_mut().filter(|field| parts.contains(&field.id)) {
                field.max_capacity = new_capacity(field, &value)?;
            }
        }
        for one in schema.structs.iter_mut().filter(|one| one.name == name) {
            match key.as_str() {
                "max_capacity" => one.max_capacity = value.parse().unwrap_or(one.max_capacity),
                _ => {
                    one.params.insert(key.clone(), value.clone());
                }
            }
        }
    }
    for one in schema.structs.iter_mut().filter(|one| one.name == name) {
        one.params.retain(|key, _| !delete.contains(key));
    }
    Ok(())
}

fn new_capacity(field: &Field, value: &str) -> Result<usize, Error> {
    let (name, old, max) = (&field.name, field.max_capacity, check::ARRAY_CAPACITY_MAX);
    if field.data_type != Type::Array {
        return Err(Error::invalid(format!(
            "can not modify max_capacity for non-array types, field: {name}"
        )));
    }
    let capacity = value.parse::<usize>().ok().filter(|capacity| (old..=max).contains(capacity));
    capacity.ok_or_else(|| {
        Error::invalid(format!(
            "max_capacity of field {name} must be a number from {old} to {max}, got {value}"
        ))
    })
}

fn new_length(field: &Field, value: &str, limits: &Settings) -> Result<usize, Error> {
    let (name, old, max) = (&field.name, field.max_length, limits.varchar_bytes_max);
    let wrong = |got: &str| {
        Error::invalid(format!("max_length of field {name} must be a number from {old} to {max}, got {got}"))
    };
    if field.element.unwrap_or(field.data_type) != Type::VarChar {
        return Err(Error::invalid(format!(
            "can not modify the maxlength for non-string types, field: {name}"
        )));
    }
    let length = value.parse::<usize>().map_err(|_| wrong(value))?;
    if length < old || length > max {
        return Err(wrong(value));
    }
    Ok(length)
}

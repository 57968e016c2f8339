//! From a column as it came over the wire to one of the field's own kind: text to moments and shapes, arrays of 32-bit
//! integers to narrower ones, nothing to nothing of any kind.

use crate::Error;
use data::{Column, ColumnBuilder, Field, Kind, Lists, Shape, Type, Values, VarLen, Zone};

/// `column` as a column of `field`; moments without an offset are in `zone`.
pub(crate) fn fit(field: &Field, column: Column, zone: &Zone) -> Result<Column, Error> {
    let (want, got) = (field.kind(), column.kind());
    if want == got && want.data_type != Type::Geometry {
        return Ok(column);
    }
    if column.null_count() == column.len() {
        return Ok(Column::nothing(want, column.len()));
    }
    match (want.data_type, column.values()) {
        (Type::Timestamptz, Values::Text(texts)) => moments(field, &column, texts, zone),
        (Type::Geometry, Values::Text(texts)) => {
            shapes(field, &column, |row| Shape::from_wkt(texts.text(row)).map_err(|error| error.to_string()))
        }
        (Type::Geometry, Values::Geometry(shapes_)) => {
            shapes(field, &column, |row| Shape::from_wkb(shapes_.get(row)).map_err(|error| error.to_string()))
        }
        (Type::Array, Values::Array(lists)) => arrays(field, &column, lists),
        _ if want.data_type == got.data_type && want.data_type.is_dense() => {
            let (name, dim, want) = (&field.name, got.dim, want.dim);
            Err(Error::invalid(format!(
                "the dim ({dim}) of field data({name}) is not equal to schema dim ({want})"
            )))
        }
        _ => Err(mismatch(field, got)),
    }
}

fn mismatch(field: &Field, got: Kind) -> Error {
    let text = |kind: Kind| match kind.element {
        Some(element) => format!("{:?} of {element:?}", kind.data_type),
        None => format!("{:?}", kind.data_type),
    };
    let name = &field.name;
    let want = text(field.kind());
    Error::expected(format!("the data type of field ({name}) does not fit the schema"), want, text(got))
}

fn moments(field: &Field, column: &Column, texts: &VarLen, zone: &Zone) -> Result<Column, Error> {
    let moment = |row| {
        if !column.is_valid(row) {
            return Ok(0);
        }
        let wrong = |error| Error::invalid(format!("{error}, field: {}, row number: {row}", field.name));
        zone.parse(texts.text(row)).map_err(wrong)
    };
    let micros: Vec<i64> = (0..texts.len()).map(moment).collect::<Result<_, Error>>()?;
    column_of(Values::Timestamptz(micros.into()), column)
}

fn shapes(
    field: &Field,
    column: &Column,
    read: impl Fn(usize) -> Result<Shape, String>,
) -> Result<Column, Error> {
    let mut builder = ColumnBuilder::of(field.kind());
    for row in 0..column.len() {
        if !column.is_valid(row) {
            builder.push_null();
            continue;
        }
        let wrong = |error| {
            Error::invalid(format!(
                "invalid geometry data of field ({}), row number: {row}: {error}",
                field.name
            ))
        };
        builder.push_bytes(&read(row).map_err(wrong)?.to_wkb());
    }
    Ok(builder.finish())
}

fn arrays(field: &Field, column: &Column, lists: &Lists) -> Result<Column, Error> {
    let item = field.kind().item().ok_or_else(|| mismatch(field, column.kind()))?;
    let lists = lists.compact();
    let got = lists.items().kind();
    let items = match (item.data_type, lists.items().values()) {
        _ if got == item => lists.items().clone(),
        _ if lists.items().is_empty() => ColumnBuilder::of(item).finish(),
        (Type::Int8 | Type::Int16, Values::Int32(values)) => narrow(field, item, values)?,
        _ if got.data_type == item.data_type && item.data_type.is_dense() => {
            let (name, dim, want) = (&field.name, got.dim, item.dim);
            let text = format!("the dim ({dim}) of field data({name}) is not equal to schema dim ({want})");
            return Err(Error::invalid(text));
        }
        _ => return Err(mismatch(field, column.kind())),
    };
    let lists = Lists::new(lists.offsets_buffer().clone(), items);
    column_of(Values::Array(lists.map_err(|error| Error::internal(error.to_string()))?), column)
}

fn narrow(field: &Field, item: Kind, values: &[i32]) -> Result<Column, Error> {
    let (low, high) = item.data_type.integer_range().unwrap_or((i64::MIN, i64::MAX));
    let odd = values.iter().find(|value| !(low..=high).contains(&i64::from(**value)));
    if let Some(value) = odd {
        let (name, kind) = (&field.name, item.data_type);
        return Err(Error::expected(
            format!("value {value} of field {name} does not fit {kind:?}"),
            format!("{low} <= value <= {high}"),
            value,
        ));
    }
    let narrowed = match item.data_type {
        Type::Int8 => Values::Int8(values.iter().map(|value| *value as i8).collect()),
        _ => Values::Int16(values.iter().map(|value| *value as i16).collect()),
    };
    Column::new(narrowed, None).map_err(|error| Error::internal(error.to_string()))
}

/// `values` with the validity of `like`.
fn column_of(values: Values, like: &Column) -> Result<Column, Error> {
    Column::new(values, like.validity().cloned()).map_err(|error| Error::internal(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use data::Value;

    fn list(values: &[i64]) -> Value {
        Value::List(values.iter().copied().map(Value::Int).collect())
    }

    fn column(kind: Kind, values: &[Value]) -> Column {
        let mut builder = ColumnBuilder::of(kind);
        values.iter().for_each(|value| builder.push(value));
        builder.finish()
    }

    #[test]
    fn columns_become_the_fields_own() {
        let zone = Zone::named("Asia/Shanghai").unwrap();
        let text = |text: &str| Value::Text(text.to_owned());
        let texts = |values: &[Value]| column(Kind::new(Type::VarChar, 0), values);
        let fitted = fit(
            &Field::new("t", Type::Timestamptz),
            texts(&[text("1970-01-01 08:00:00"), Value::Null]),
            &zone,
        );
        assert_eq!(fitted.unwrap(), column(Kind::new(Type::Timestamptz, 0), &[Value::Int(0), Value::Null]));
        let fitted = fit(&Field::new("g", Type::Geometry), texts(&[text("point(1 2)")]), &zone).unwrap();
        assert_eq!(fitted.value(0), text("POINT (1 2)"));
        let again = fit(&Field::new("g", Type::Geometry), fitted.clone(), &zone).unwrap();
        assert_eq!(again, fitted);
        let wide = column(Kind::array(Type::Int32, 0), &[list(&[1, -128]), Value::Null, list(&[])]);
        let bytes = Field::new("a", Type::Array).with_elements(Type::Int8, 4);
        let fitted = fit(&bytes, wide.clone(), &zone).unwrap();
        assert_eq!((fitted.kind(), fitted.value(0)), (bytes.kind(), list(&[1, -128])));
        let empty = column(Kind::array(Type::Int64, 0), &[list(&[]), Value::Null]);
        let vectors = Field::new("v", Type::Array).with_elements(Type::FloatVector, 4).with_dim(3);
        assert_eq!(fit(&vectors, empty.clone(), &zone).unwrap().kind(), vectors.kind());
        let nothing =
            fit(&Field::new("f", Type::Float16Vector).with_dim(5), empty.slice(1, 1), &zone).unwrap();
        assert_eq!((nothing.kind(), nothing.null_count()), (Kind::new(Type::Float16Vector, 5), 1));
    }

    #[test]
    fn what_does_not_fit_is_refused_by_name() {
        let zone = Zone::default();
        let text = |text: &str| Column::from_texts([text]);
        let ints = Field::new("a", Type::Array).with_elements(Type::Int8, 4);
        let cases = [
            (
                Field::new("t", Type::Timestamptz),
                text("yesterday"),
                "invalid timestamptz string: \"yesterday\"",
            ),
            (
                Field::new("g", Type::Geometry),
                text("POINT (1)"),
                "invalid geometry data of field (g), row number: 0",
            ),
            (
                ints.clone(),
                column(Kind::array(Type::Int32, 0), &[list(&[128])]),
                "value 128 of field a does not fit Int8",
            ),
            (
                ints,
                column(Kind::array(Type::VarChar, 0), &[Value::List(vec![Value::Text("x".into())])]),
                "[expected=Array of Int8][actual=Array of VarChar]",
            ),
            (
                Field::new("v", Type::FloatVector).with_dim(3),
                Column::from_vectors(2, vec![0.0; 2]).unwrap(),
                "the dim (2) of field data(v) is not equal to schema dim (3)",
            ),
            (Field::new("n", Type::Int64), text("1"), "[expected=Int64][actual=VarChar]"),
        ];
        for (field, column, want) in cases {
            let error = fit(&field, column, &zone).unwrap_err().to_string();
            assert!(error.contains(want), "{error:?} should contain {want:?}");
        }
    }
}
